// The type of the dashboard, built from Grafana's own types: the classic model, the options of the panel types in use,
// and the fields that the Prometheus data source reads. The test appends the dashboard and compiles the result.

import type {
  AnnotationQuery,
  Dashboard as AnyDashboard,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
  VariableModel,
} from "@grafana/schema";
import type { Options as BarGaugeOptions } from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as TimelineFieldConfig,
  Options as TimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type {
  FieldConfig as TableFieldConfig,
  Options as TableOptions,
} from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as SeriesFieldConfig,
  Options as SeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// In JSON an enum member is its value.
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

interface Source {
  type: "prometheus" | "grafana";
  uid: string;
}

interface Query {
  refId: string;
  datasource: Source;
  expr: string;
  legendFormat: string;
  instant: boolean;
  range: boolean;
  format?: "table";
}

interface Fields<Custom> extends Omit<FieldConfigSource, "defaults"> {
  defaults: Omit<FieldConfig, "custom"> & { custom?: Custom };
}

interface Kind<Type extends string, Options, Custom> extends Omit<Panel, "type" | "options" | "fieldConfig" | "targets"> {
  type: Type;
  options: Options;
  fieldConfig: Fields<Custom>;
  targets: Query[];
}

// The Prometheus query of an annotation is next to the fields that all annotations have.
interface Annotation extends AnnotationQuery {
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: boolean;
}

// Grafana shows the text of the query in lists.
interface Variable extends VariableModel {
  definition?: string;
}

interface Dashboard extends Omit<AnyDashboard, "panels" | "annotations" | "templating"> {
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
  panels: (
    | RowPanel
    | Kind<"bargauge", BarGaugeOptions, never>
    | Kind<"stat", StatOptions, never>
    | Kind<"state-timeline", TimelineOptions, TimelineFieldConfig>
    | Kind<"table", TableOptions, TableFieldConfig>
    | Kind<"timeseries", SeriesOptions, SeriesFieldConfig>
  )[];
}

export const dashboard: Json<Dashboard> =

// The shape of the dashboard, from Grafana's own types: the classic model, the options of the kinds of panels that are
// used, and what the Prometheus data source reads. The test appends the dashboard itself and has it compiled.

import type {
  AnnotationQuery,
  Dashboard as AnyDashboard,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
  VariableModel,
} from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as TimelineFieldConfig,
  Options as TimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type {
  FieldConfig as SeriesFieldConfig,
  Options as SeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// In JSON the members of an enum are their values.
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

// What an annotation asks Prometheus stands beside what every annotation has.
interface Annotation extends AnnotationQuery {
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
  useValueForTime?: boolean;
}

// The text of a query is shown in lists.
interface Variable extends VariableModel {
  definition?: string;
}

interface Dashboard extends Omit<AnyDashboard, "panels" | "annotations" | "templating"> {
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
  panels: (
    | RowPanel
    | Kind<"stat", StatOptions, never>
    | Kind<"state-timeline", TimelineOptions, TimelineFieldConfig>
    | Kind<"timeseries", SeriesOptions, SeriesFieldConfig>
  )[];
}

export const dashboard: Json<Dashboard> =

//! Tests the alerts and the dashboard with a real Prometheus that scrapes running instances, and a real Alertmanager.

mod business;
mod dashboard;
mod fixture;
mod full_day;
mod grafana;
mod layout;
mod scenarios;
mod time_scale;
mod totals;

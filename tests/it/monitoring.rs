//! The alerts and the dashboard, on a real Prometheus that scrapes running instances, and a real Alertmanager behind it.

mod acts;
mod dashboard;
mod day;
mod faster;
mod grafana;
mod layout;
mod scene;
mod totals;

module trusthub-bridge.io/trusthubevents

go 1.24

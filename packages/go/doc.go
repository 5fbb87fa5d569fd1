// Package trusthubevents has the events that trusthub-bridge publishes on Kafka, and the rules that a consumer needs: which
// record is a repeat, which one is out of order, and which ones it cannot use. It works with every Kafka client and needs no
// other module.
package trusthubevents

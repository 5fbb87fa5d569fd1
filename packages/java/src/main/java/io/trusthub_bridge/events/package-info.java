/**
 * The events that trusthub-bridge publishes on Kafka, and the rules that a consumer needs: which record is a repeat, which one is
 * out of order, and which ones it cannot use.
 */
package io.trusthub_bridge.events;

"""The record of a patient in one call: what was read of the chart."""

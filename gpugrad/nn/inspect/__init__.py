"""Model inspection: a summary table of the layers, and a diagnosis of one training step."""

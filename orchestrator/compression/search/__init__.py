"""Search over widths, pruning, distillation, quantization and patches, until budgets are met."""

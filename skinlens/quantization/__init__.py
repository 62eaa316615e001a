"""Quantization: a trained run to a released int8 engine, and how well it held."""

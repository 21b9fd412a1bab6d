"""TensorFlow Lite Micro itself, and networks to ask it about."""

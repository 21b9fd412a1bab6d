"""What each kernel of TFLite Micro asks of the arena."""

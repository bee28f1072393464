"""Networks, training and scoring."""

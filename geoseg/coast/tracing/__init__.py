"""From probabilities to the line between land and water."""

"""How coasts move: transects, crossings, rates."""

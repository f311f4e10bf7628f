"""A nation's witness: it cosigns the log's checkpoints, and only ever one history of them."""

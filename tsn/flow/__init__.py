"""Motion between frames: the contract, its sources (rendered vectors, RAFT, DIS), and the cache."""

"""What each order and entry of a call was taken for, and which cards come of it: the part that all topics share."""

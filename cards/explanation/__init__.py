"""What each order and entry of a call was taken for, and which cards follow: the part that all topics share."""

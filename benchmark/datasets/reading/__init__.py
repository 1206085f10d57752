"""Files and layouts that data sets are handed out in: folders, archives, lists, landmarks."""

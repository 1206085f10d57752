"""The data sets, one file each: a new file with one `DataSet` subclass is a new data set, found by `benchmark.plugins`."""

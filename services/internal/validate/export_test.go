package validate

// Words lets a test look at every pattern of the fleet.
func Words(pattern string) string { return words(pattern) }

package cache

// SetFlaskCodec sets the codec of package flask, which this module does not import, and
// returns a function that removes it.
func SetFlaskCodec(codec UniversalCodec) (restore func()) {
	flaskCodec.Store(&codec)
	return func() { flaskCodec.Store(nil) }
}

// LimitsOf returns the number of limits that the callers of the load of key have added.
func LimitsOf(c *Cache, key string) (n int) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	for _, f := range c.flights.flying[key] {
		n += len(f.limits.all)
	}
	return n
}

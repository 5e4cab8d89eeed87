package cache

// SetFlaskCodec sets the codec of package flask, which this module does not import, and
// returns a function that removes it.
func SetFlaskCodec(codec UniversalCodec) (restore func()) {
	flaskCodec.Store(&codec)
	return func() { flaskCodec.Store(nil) }
}

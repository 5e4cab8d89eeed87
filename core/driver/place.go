package driver

// Placer is implemented by backends with several independent servers. Place returns
// the server that stores key, as text for errors and logs, such as "10.0.0.1:11211".
// It returns at once, without I/O, and always the same few texts. It never returns a
// credential.
// Fallback: one place for all keys, "".
type Placer interface {
	Place(key string) string
}

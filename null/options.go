package null

// Options has no fields: there is nothing to choose.
type Options struct{}

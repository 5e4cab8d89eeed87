package driver

import "sync/atomic"

// FlaskJSON converts between the pickles of which a value consists with CACHE_FLASK and
// JSON, which Flask-Caching stores on Google Cloud Storage. Package flask registers it when
// it is imported, because backends do not know pickles.
type FlaskJSON struct {
	// FromPickle returns the JSON that Python's json.dumps returns for the value of pickle,
	// or ok=false if pickle is not a pickle or its value has no JSON.
	FromPickle func(pickle []byte) (json []byte, ok bool)
	// ToPickle returns the pickle of what Python's json.loads returns, or an error wrapping
	// [ErrCorrupt].
	ToPickle func(json []byte) (pickle []byte, err error)
}

var flaskJSON atomic.Pointer[FlaskJSON]

// RegisterFlaskJSON sets what [RegisteredFlaskJSON] returns.
func RegisterFlaskJSON(convert FlaskJSON) { flaskJSON.Store(&convert) }

// RegisteredFlaskJSON returns what package flask has registered, or nil.
func RegisteredFlaskJSON() *FlaskJSON { return flaskJSON.Load() }

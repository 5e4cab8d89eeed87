package flask

import cache "github.com/cachebackends/cachebackends/core"

// Codec is the codec of values that Flask-Caching reads and writes: pickles, with
// [Marshal] and [Unmarshal].
var Codec cache.Codec = codec{}

type codec struct{}

func (codec) Marshal(value any) ([]byte, error)       { return Marshal(value) }
func (codec) Unmarshal(data []byte, target any) error { return Unmarshal(data, target) }

package flask

import cache "github.com/cachebackends/cachebackends/core"

// Importing the package makes cache.Open use [Codec] if CACHE_FLASK is on.
func init() { cache.RegisterFlaskCodec(codec{}) }

// EncodesAll makes a cache use the codec for []byte, strings and integers too.
func (codec) EncodesAll() {}

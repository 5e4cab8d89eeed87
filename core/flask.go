package cache

import (
	"fmt"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/driver"
)

// UniversalCodec is a [Codec] that encodes values of every type. A Cache with such a codec
// also uses it for what it otherwise stores as it is: []byte, strings and integers, also
// in the methods of Cache that take and return []byte.
//
// Marshal must return the decimal text of an integer in the range of int64, as
// strconv.AppendInt does, so that Inc counts it, and nothing else that looks like one.
// Unmarshal must accept such text, and decode text, bytes and integers into a *[]byte or a
// *string.
type UniversalCodec interface {
	Codec
	// EncodesAll distinguishes the codec from others. It does nothing.
	EncodesAll()
}

// flaskCodec is set when package flask is imported.
var flaskCodec atomic.Pointer[UniversalCodec]

// RegisterFlaskCodec sets the codec that [Open] uses if CACHE_FLASK is on. Package flask
// calls it when it is imported; programs do not need it. It panics if it is called twice.
func RegisterFlaskCodec(codec UniversalCodec) {
	if !flaskCodec.CompareAndSwap(nil, &codec) {
		panic("cache: RegisterFlaskCodec called twice")
	}
}

const (
	flaskKey    = "CACHE_FLASK"
	flaskModule = "github.com/cachebackends/cachebackends/flask"
)

// flaskOption returns the codec for the settings, or nil if CACHE_FLASK is off.
func flaskOption(s *driver.Settings) Option {
	if !s.Common().Flask {
		return nil
	}
	codec := flaskCodec.Load()
	if codec == nil {
		s.Fail(flaskKey, "requires the import of package flask, which has the values: go get %s; import _ %q", flaskModule, flaskModule)
		return nil
	}
	return WithCodec(*codec)
}

// checkFlask returns an error if the program has replaced the codec by one whose values
// Python would execute.
func (c *Cache) checkFlask() error {
	if _, universal := c.codec.(UniversalCodec); universal {
		return nil
	}
	return fmt.Errorf("%w: %s: with %T (WithCodec) Python would unpickle what it must not: remove the option, or use flask.Codec", ErrInvalidSettings, flaskKey, c.codec)
}

package flask

import (
	"encoding"
	"math"
	"math/big"
	"reflect"
	"strconv"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Codec is the codec of values that Flask-Caching reads and writes, for [cache.WithCodec]
// and, since it is imported, for CACHE_FLASK.
//
// An integer in the range of int64 is decimal text, which Inc counts; the backend stores
// it as the integers of its store. Every other value is a pickle, by the rules of
// [Marshal] and [Unmarshal].
//
// It reads what Python stores, whatever its type: into a string or a []byte a str, bytes
// or an int (as decimal text), and into an integer or a float also a bool, which is an int
// in Python. 0 and 1 are also read into a bool, which pylibmc stores as a number.
var Codec cache.UniversalCodec = codec{}

// Importing the package makes [cache.Open] use [Codec] if CACHE_FLASK is on.
func init() { cache.RegisterFlaskCodec(Codec) }

type codec struct{}

// EncodesAll makes a cache use the codec for []byte, strings and integers too.
func (codec) EncodesAll() {}

func (codec) Marshal(value any) ([]byte, error) {
	if text, ok := integerText(reflect.ValueOf(value)); ok {
		return text, nil
	}
	return Marshal(value)
}

// integerText returns the decimal text of v if it is an integer of Python's type int, in
// the range of int64.
func integerText(v reflect.Value) ([]byte, bool) {
	for depth := 0; v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface; depth++ {
		if depth > maxDepth || isText(v) {
			return nil, false
		}
		if v.Type() == reflect.PointerTo(bigIntType) && !v.IsNil() {
			return bigIntegerText(v.Elem())
		}
		v = v.Elem()
	}
	switch {
	case !v.IsValid() || v.Type() == durationType || isText(v):
		return nil, false
	case v.Type() == bigIntType:
		return bigIntegerText(v)
	case v.CanInt():
		return strconv.AppendInt(nil, v.Int(), 10), true
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return strconv.AppendUint(nil, v.Uint(), 10), true
	}
	return nil, false
}

func bigIntegerText(v reflect.Value) ([]byte, bool) {
	n := v.Interface().(big.Int)
	return n.Append(nil, 10), n.IsInt64()
}

// isText reports whether v is written as a str because it has MarshalText.
func isText(v reflect.Value) bool {
	return v.Type() != reflect.PointerTo(bigIntType) && v.Type() != bigIntType && v.Type().Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

func (codec) Unmarshal(data []byte, target any) error {
	into := reflect.ValueOf(target)
	if into.Kind() != reflect.Pointer || into.IsNil() {
		return corrupt("target is a %T, not a pointer", target)
	}
	value, err := decoded(data)
	if err != nil {
		return err
	}
	return newReader(data).into(into.Elem(), adapted(value, into.Elem()), 0)
}

// decoded returns the value of an integer in text, or of a pickle.
func decoded(data []byte) (any, error) {
	if n, ok := driver.ParseInteger(data); ok {
		return n, nil
	}
	return unpickle(data)
}

// adapted returns value in a type that fits target, if it is text for a program in Go.
func adapted(value any, target reflect.Value) any {
	for target.Kind() == reflect.Pointer && !target.IsNil() {
		target = target.Elem()
	}
	typ := target.Type()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	isBytes := typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Uint8
	isString := typ.Kind() == reflect.String && typ != reflect.TypeFor[Decimal]()
	switch v := value.(type) {
	case string:
		if isBytes {
			return []byte(v)
		}
	case []byte:
		if isString {
			return string(v)
		}
	case int64:
		switch text := strconv.FormatInt(v, 10); {
		case isBytes:
			return []byte(text)
		case isString:
			return text
		case typ.Kind() == reflect.Bool && (v == 0 || v == 1): // pylibmc stores a bool as a number
			return v == 1
		}
	case *big.Int:
		switch {
		case isBytes:
			return v.Append(nil, 10)
		case isString:
			return v.String()
		}
	case bool:
		if isNumber(typ) {
			return boolNumber(v)
		}
	}
	return value
}

func isNumber(typ reflect.Type) bool {
	v := reflect.New(typ).Elem()
	return v.CanInt() && typ != durationType || v.CanUint() || v.CanFloat()
}

func boolNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

package cache

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unsafe"
)

// Codec turns values into bytes and back. Unless it is a [UniversalCodec], it is not used
// for views of []byte and string, which are stored as they are, nor of integers, which
// are stored as decimal text so that Inc works on them. It must be safe for concurrent
// use. A panic becomes an error.
type Codec interface {
	// Marshal returns the encoding of value, in memory that the codec does not keep.
	// For a view of T, value is a T if T is a pointer or an interface, and a *T
	// otherwise.
	Marshal(value any) ([]byte, error)
	// Unmarshal decodes data into target, a non-nil *T. It must not keep data. The text of
	// an error is not shown, because it could quote the value. If the error has a method
	// Detail() string, the error of the cache has that text.
	Unmarshal(data []byte, target any) error
}

// JSON encodes with encoding/json. It is the default, and every language can read it.
var JSON Codec = jsonCodec{}

// Gob encodes with encoding/gob, for types that JSON cannot represent. Only Go
// programs can read it.
var Gob Codec = gobCodec{}

type jsonCodec struct{}

func (jsonCodec) Marshal(value any) ([]byte, error)       { return json.Marshal(value) }
func (jsonCodec) Unmarshal(data []byte, target any) error { return json.Unmarshal(data, target) }

type gobCodec struct{}

func (gobCodec) Marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(value)
	return b.Bytes(), err
}

func (gobCodec) Unmarshal(data []byte, target any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(target)
}

var errUnencodable = errors.New("value cannot be encoded")

// encode returns bytes that the backend may keep. The type of the view decides, as in
// decode, not that of a value in an interface.
func encode[T any](c *Cache, value T) ([]byte, error) {
	if c.universal {
		return encodeAny(c.codec, value)
	}
	switch p := any(&value).(type) {
	case *[]byte:
		return c.copyIn(*p), nil
	case *string:
		return c.bytesOf(*p), nil
	case *int:
		return strconv.AppendInt(nil, int64(*p), 10), nil
	case *int8:
		return strconv.AppendInt(nil, int64(*p), 10), nil
	case *int16:
		return strconv.AppendInt(nil, int64(*p), 10), nil
	case *int32:
		return strconv.AppendInt(nil, int64(*p), 10), nil
	case *int64:
		return strconv.AppendInt(nil, *p, 10), nil
	case *uint:
		return strconv.AppendUint(nil, uint64(*p), 10), nil
	case *uint8:
		return strconv.AppendUint(nil, uint64(*p), 10), nil
	case *uint16:
		return strconv.AppendUint(nil, uint64(*p), 10), nil
	case *uint32:
		return strconv.AppendUint(nil, uint64(*p), 10), nil
	case *uint64:
		return strconv.AppendUint(nil, *p, 10), nil
	}
	return encodeOther(c.codec, value)
}

// encodeAny is encode with a UniversalCodec. A nil []byte is stored as an empty one.
func encodeAny[T any](codec Codec, value T) ([]byte, error) {
	if raw, ok := any(value).([]byte); ok && raw == nil {
		return encodeOther(codec, []byte{})
	}
	return encodeOther(codec, value)
}

// bytesOf returns the bytes of text as memory that the backend may keep. They are a
// copy if it does keep them: text may be a small part of a large one. A Copier, which
// keeps nothing, receives the memory of text; no backend writes to a value that it
// receives.
func (c *Cache) bytesOf(text string) []byte {
	if c.copies && text != "" {
		return unsafe.Slice(unsafe.StringData(text), len(text))
	}
	return []byte(text)
}

// textOf returns data, which a backend has returned, as a string without copying it.
// This is safe because of the contract of [driver.Backend]: a backend that still uses
// the memory does not write to it, and package cache gives it to nobody else who could.
func textOf(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// encodeOther is a function of its own because value escapes to the heap where it is
// passed to the codec. In encode every value would escape.
func encodeOther[T any](codec Codec, value T) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, fmt.Errorf("%w: %T panicked: %v", errUnencodable, codec, p)
		}
	}()
	if kind := reflect.TypeFor[T]().Kind(); kind == reflect.Pointer || kind == reflect.Interface {
		data, err = codec.Marshal(value)
	} else {
		data, err = codec.Marshal(&value) // so that methods on the pointer are found
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnencodable, err)
	}
	return data, nil
}

// decode takes data from the backend; a string shares its memory. If it cannot be decoded, the error is
// ErrCorrupt without its cause, which could quote the value.
func decode[T any](c *Cache, data []byte) (value T, err error) {
	if c.universal {
		value, err = decodeOther[T](c.codec, data, true)
		if raw, ok := any(&value).(*[]byte); ok && *raw == nil && err == nil {
			*raw = []byte{} // a hit
		}
		return value, err
	}
	switch p := any(&value).(type) {
	case *[]byte:
		*p = c.copyOut(data)
		if *p == nil {
			*p = []byte{} // a hit
		}
		return value, nil
	case *string:
		*p = textOf(data)
		return value, nil
	}
	return decodeOther[T](c.codec, data, false)
}

// decodeOther is a function of its own for the same reason as encodeOther.
func decodeOther[T any](codec Codec, data []byte, universal bool) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var zero T
			value, err = zero, fmt.Errorf("%w as %v: %T panicked", ErrCorrupt, reflect.TypeFor[T](), codec)
		}
	}()
	target := any(&value)
	if universal {
		target = nil // integers too
	}
	switch p := target.(type) {
	case *int:
		err = decodeInt(data, strconv.IntSize, p)
	case *int8:
		err = decodeInt(data, 8, p)
	case *int16:
		err = decodeInt(data, 16, p)
	case *int32:
		err = decodeInt(data, 32, p)
	case *int64:
		err = decodeInt(data, 64, p)
	case *uint:
		err = decodeUint(data, strconv.IntSize, p)
	case *uint8:
		err = decodeUint(data, 8, p)
	case *uint16:
		err = decodeUint(data, 16, p)
	case *uint32:
		err = decodeUint(data, 32, p)
	case *uint64:
		err = decodeUint(data, 64, p)
	default:
		err = codec.Unmarshal(data, &value)
	}
	if err != nil {
		var zero T
		return zero, fmt.Errorf("%w as %v%s", ErrCorrupt, reflect.TypeFor[T](), detailOf(err))
	}
	return value, nil
}

func decodeInt[I int | int8 | int16 | int32 | int64](data []byte, bits int, target *I) error {
	n, err := strconv.ParseInt(string(data), 10, bits)
	*target = I(n)
	return err
}

func decodeUint[I uint | uint8 | uint16 | uint32 | uint64](data []byte, bits int, target *I) error {
	n, err := strconv.ParseUint(string(data), 10, bits)
	*target = I(n)
	return err
}

// detailOf says where or why a value cannot be decoded. The text of err itself could
// quote the value.
func detailOf(err error) string {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var own interface{ Detail() string }
	switch {
	case errors.As(err, &own):
		return ": " + own.Detail()
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Sprintf(": field %s is not of type %v", wrongType.Field, wrongType.Type)
	case errors.As(err, &syntax):
		return fmt.Sprintf(": malformed JSON at byte %d", syntax.Offset)
	}
	return ""
}

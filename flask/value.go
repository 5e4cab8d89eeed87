package flask

import (
	"math/big"
	"time"
)

const (
	// maxDepth limits the nesting of values. CPython's pickler ends at its recursion
	// limit of 1,000.
	maxDepth = 1000

	// valuesPerByte limits the values of a result in relation to its pickle. A pickle
	// can refer to one list many times, so that a few bytes stand for any number of
	// values (the "billion laughs" of XML).
	valuesPerByte = 16

	// bytesPerValue is how many bytes count as another value where they are copied.
	bytesPerValue = 8
)

// reader converts what the machine made. It refuses values that contain themselves, by
// their depth, and those that are much larger than their pickle.
type reader struct {
	left int // values that the result may still have
}

func newReader(data []byte) *reader { return &reader{left: valuesPerByte * len(data)} }

var (
	errDeep  = corrupt("pickle is nested more than %d levels deep", maxDepth)
	errLarge = corrupt("pickle has more than %d values per byte", valuesPerByte)
)

// enter counts n values at a depth.
func (r *reader) enter(n, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	if r.left -= n; r.left < 0 {
		return errLarge
	}
	return nil
}

// value returns v as a value of type any.
func (r *reader) value(v any, depth int) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, Decimal, Date, time.Time, time.Duration:
		return v, nil
	case []byte: // copied, as the next one: the memo may hold it twice
		if err := r.enter(len(v)/bytesPerValue, depth); err != nil {
			return nil, err
		}
		return append([]byte{}, v...), nil
	case *big.Int:
		if err := r.enter(len(v.Bits()), depth); err != nil {
			return nil, err
		}
		return new(big.Int).Set(v), nil
	case *object:
		if v.built {
			return v.uuid, nil
		}
	case *list:
		return r.values(v.items, depth)
	case Tuple:
		items, err := r.values(v, depth)
		return Tuple(items), err
	case *set:
		items, err := r.values(v.items, depth)
		return Set(items), err
	case *dict:
		if v.strings {
			return r.stringMap(v, depth)
		}
		return r.pairs(v, depth)
	}
	return nil, corrupt("pickle of a type, a timezone or an unfinished object is not plain data")
}

func (r *reader) values(items []any, depth int) ([]any, error) {
	if err := r.enter(len(items), depth+1); err != nil {
		return nil, err
	}
	values := make([]any, len(items))
	for i, item := range items {
		var err error
		if values[i], err = r.value(item, depth+1); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (r *reader) stringMap(d *dict, depth int) (map[string]any, error) {
	if err := r.enter(len(d.items), depth+1); err != nil {
		return nil, err
	}
	values := make(map[string]any, len(d.items))
	for _, item := range d.items {
		value, err := r.value(item.Value, depth+1)
		if err != nil {
			return nil, err
		}
		values[item.Key.(string)] = value
	}
	return values, nil
}

func (r *reader) pairs(d *dict, depth int) (Dict, error) {
	if err := r.enter(2*len(d.items), depth+1); err != nil {
		return nil, err
	}
	pairs := make(Dict, len(d.items))
	for i, item := range d.items {
		var err error
		if pairs[i].Key, err = r.value(item.Key, depth+1); err != nil {
			return nil, err
		}
		if pairs[i].Value, err = r.value(item.Value, depth+1); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

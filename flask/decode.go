package flask

import (
	"encoding"
	"math"
	"math/big"
	"reflect"
	"time"
)

// Unmarshal decodes a pickle into target, a non-nil pointer, by the rules of
// encoding/json: a dict becomes a map or a struct (whose fields are named by the tag
// pickle, or json), a list, tuple, set or frozenset becomes a slice or array, and None
// becomes nil or leaves the target unchanged. bytes become a []byte, and a str becomes
// a string or a type with UnmarshalText. An int becomes any numeric type that can hold
// it, or a *[big.Int].
//
// Into an any, values become nil, bool, int64 or *[big.Int], float64, string, []byte,
// []any, [Tuple], [Set], map[string]any or [Dict], [time.Time], [Date], [time.Duration],
// [Decimal] and [UUID].
//
// A pickle is read as data: nothing is imported or called. What is not plain data, is
// damaged, or has another type than target is an error wrapping
// [driver.ErrCorrupt], which names the opcode, the global or the field. A bool is not an
// int. The memory that Unmarshal uses is bounded by the size of data, see the
// documentation of the package. Data is not kept.
func Unmarshal(data []byte, target any) error {
	v, err := unpickle(data)
	if err != nil {
		return err
	}
	into := reflect.ValueOf(target)
	if into.Kind() != reflect.Pointer || into.IsNil() {
		return corrupt("target is a %T, not a pointer", target)
	}
	return newReader(data).into(into.Elem(), v, 0)
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	bigIntType   = reflect.TypeFor[big.Int]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// into stores v in target.
func (r *reader) into(target reflect.Value, v any, depth int) error {
	if err := r.enter(1, depth); err != nil {
		return err
	}
	if target.Kind() == reflect.Interface && target.NumMethod() == 0 {
		value, err := r.value(v, depth)
		if err != nil {
			return err
		}
		if value == nil {
			target.SetZero()
		} else {
			target.Set(reflect.ValueOf(value))
		}
		return nil
	}
	if target.Kind() == reflect.Pointer {
		return r.intoPointer(target, v, depth)
	}
	switch v := v.(type) {
	case nil:
		if kind := target.Kind(); kind == reflect.Map || kind == reflect.Slice {
			target.SetZero()
		}
		return nil
	case bool:
		if target.Kind() == reflect.Bool {
			target.SetBool(v)
			return nil
		}
	case int64:
		if target.Type() != durationType && setInt(target, v) {
			return nil
		}
	case *big.Int:
		if target.Type() == bigIntType {
			target.Addr().Interface().(*big.Int).Set(v)
			return r.enter(len(v.Bits()), depth)
		}
		if v.IsUint64() && target.CanUint() && !target.OverflowUint(v.Uint64()) {
			target.SetUint(v.Uint64())
			return nil
		}
	case float64:
		if target.CanFloat() && !(target.OverflowFloat(v) && !math.IsInf(v, 0)) {
			target.SetFloat(v)
			return nil
		}
	case string:
		return r.intoText(target, v, depth)
	case []byte:
		if target.Kind() == reflect.Slice && target.Type().Elem().Kind() == reflect.Uint8 {
			target.SetBytes(append([]byte{}, v...))
			return r.enter(len(v)/bytesPerValue, depth)
		}
	case *list:
		return r.intoSequence(target, v.items, depth)
	case Tuple:
		return r.intoSequence(target, v, depth)
	case *set:
		return r.intoSequence(target, v.items, depth)
	case *dict:
		return r.intoDict(target, v, depth)
	case time.Duration, Date, time.Time, Decimal:
		if given := reflect.ValueOf(v); given.Type() == target.Type() {
			target.Set(given)
			return nil
		}
	case *object:
		if target.Type() == reflect.TypeFor[UUID]() && v.built {
			target.Set(reflect.ValueOf(v.uuid))
			return nil
		}
	}
	return mismatch(v, target)
}

// mismatch names types only: the value may be a secret.
func mismatch(v any, target reflect.Value) error {
	return corrupt("%s does not fit in a %v", pythonType(v), target.Type())
}

func pythonType(v any) string {
	switch v.(type) {
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case *list:
		return "list"
	case Tuple:
		return "tuple"
	case *set:
		return "set"
	case *dict:
		return "dict"
	case time.Time:
		return "datetime"
	case time.Duration:
		return "timedelta"
	case Date:
		return "date"
	case Decimal:
		return "Decimal"
	case *object:
		return "UUID"
	}
	return "value"
}

func (r *reader) intoPointer(target reflect.Value, v any, depth int) error {
	if v == nil {
		target.SetZero()
		return nil
	}
	if target.IsNil() {
		made := reflect.New(target.Type().Elem())
		if err := r.into(made.Elem(), v, depth+1); err != nil {
			return err
		}
		target.Set(made)
		return nil
	}
	return r.into(target.Elem(), v, depth+1)
}

func setInt(target reflect.Value, n int64) bool {
	switch {
	case target.CanInt() && !target.OverflowInt(n):
		target.SetInt(n)
	case target.CanUint() && n >= 0 && !target.OverflowUint(uint64(n)):
		target.SetUint(uint64(n))
	case target.CanFloat(): // rounded, as in encoding/json
		target.SetFloat(float64(n))
	case target.Type() == bigIntType:
		target.Addr().Interface().(*big.Int).SetInt64(n)
	default:
		return false
	}
	return true
}

func (r *reader) intoText(target reflect.Value, text string, depth int) error {
	if target.CanAddr() && target.Addr().Type().Implements(textType) && target.Type() != timeType {
		if target.Type() == bigIntType && len(text) > maxDigits {
			return errDigits
		}
		if err := r.enter(len(text)/bytesPerValue, depth); err != nil {
			return err
		}
		if err := target.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			return corrupt("str is not a %v", target.Type()) // without the cause, which may quote it
		}
		return nil
	}
	if target.Kind() != reflect.String || target.Type() == reflect.TypeFor[Decimal]() {
		return mismatch(text, target)
	}
	target.SetString(text)
	return nil
}

func (r *reader) intoSequence(target reflect.Value, items []any, depth int) error {
	switch target.Kind() {
	case reflect.Slice:
		if r.left < len(items) { // before it is allocated
			return errLarge
		}
		target.Set(reflect.MakeSlice(target.Type(), len(items), len(items)))
	case reflect.Array:
		if len(items) != target.Len() {
			return corrupt("sequence of %d values does not fit in a %v", len(items), target.Type())
		}
	default:
		return corrupt("sequence does not fit in a %v", target.Type())
	}
	for i, item := range items {
		if err := r.into(target.Index(i), item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) intoDict(target reflect.Value, d *dict, depth int) error {
	switch {
	case target.Type() == reflect.TypeFor[Dict]():
		pairs, err := r.pairs(d, depth)
		target.Set(reflect.ValueOf(pairs))
		return err
	case target.Kind() == reflect.Map:
		return r.intoMap(target, d, depth)
	case target.Kind() == reflect.Struct && target.Type() != timeType && target.Type() != bigIntType:
		return r.intoStruct(target, d, depth)
	}
	return mismatch(d, target)
}

func (r *reader) intoMap(target reflect.Value, d *dict, depth int) error {
	t := target.Type()
	if r.left < len(d.items) { // before it is allocated
		return errLarge
	}
	made := reflect.MakeMapWithSize(t, len(d.items))
	for _, item := range d.items {
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := r.into(key, item.Key, depth+1); err != nil {
			return err
		}
		if !key.Comparable() {
			return corrupt("key of a dict cannot be the key of a %v", t)
		}
		if err := r.into(value, item.Value, depth+1); err != nil {
			return err
		}
		made.SetMapIndex(key, value)
	}
	target.Set(made)
	return nil
}

func (r *reader) intoStruct(target reflect.Value, d *dict, depth int) error {
	if err := r.enter(len(d.items), depth); err != nil { // also of those that are no fields
		return err
	}
	fields := fieldsOf(target.Type())
	for _, item := range d.items {
		name, ok := item.Key.(string)
		if !ok {
			continue
		}
		field, ok := fields.field(name)
		if !ok {
			continue
		}
		if err := r.into(target.FieldByIndex(field.index), item.Value, depth+1); err != nil {
			return inField(field.name, err)
		}
	}
	return nil
}

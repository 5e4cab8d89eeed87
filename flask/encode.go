package flask

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"sort"
	"time"
	"unicode/utf8"
)

// Marshal encodes value as a pickle of protocol 4, which Python 3.4 and later read, by
// the rules of encoding/json: a struct becomes a dict (with the names of the tag pickle,
// or json, and omitempty), a map a dict in the order of its keys, a slice or array a
// list, and a nil pointer, map, slice or interface None. A []byte becomes bytes and a
// string a str, which must be valid UTF-8. A [time.Time] becomes a datetime,
// a [time.Duration] a timedelta, and each type of this package what its comment says.
// Datetimes and timedeltas have microseconds: smaller parts are cut off. A type with
// MarshalText becomes a str.
//
// A value that Python has no plain type for, or that contains itself, is an error.
func Marshal(value any) ([]byte, error) { return marshal(value, 4) }

func marshal(value any, protocol byte) ([]byte, error) {
	w := &writer{protocol: protocol}
	w.buf = append(w.buf, opProto, protocol)
	if err := w.value(reflect.ValueOf(value), 0); err != nil {
		return nil, err
	}
	return append(w.buf, opStop), nil
}

// writer writes without the memo: Python reads each value as one of its own.
type writer struct {
	buf      []byte
	protocol byte // 2 or 4
}

func (w *writer) value(v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("value is nested more than %d levels deep", maxDepth)
	}
	if !v.IsValid() {
		w.buf = append(w.buf, opNone)
		return nil
	}
	if done, err := w.special(v, depth); done {
		return err
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return w.value(v.Elem(), depth+1) // None if it is nil
	case reflect.Bool:
		op := byte(opFalse)
		if v.Bool() {
			op = opTrue
		}
		w.buf = append(w.buf, op)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.integer(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n := v.Uint(); n > math.MaxInt64 {
			w.bigInteger(new(big.Int).SetUint64(n))
		} else {
			w.integer(int64(n))
		}
	case reflect.Float32, reflect.Float64:
		w.buf = append(w.buf, opBinFloat)
		w.buf = binary.BigEndian.AppendUint64(w.buf, math.Float64bits(v.Float()))
	case reflect.String:
		return w.text(v.String())
	case reflect.Slice:
		return w.slice(v, depth)
	case reflect.Array:
		return w.sequence(v, depth)
	case reflect.Map:
		return w.dictOfMap(v, depth)
	case reflect.Struct:
		return w.dictOfStruct(v, depth)
	default:
		return fmt.Errorf("a %v is not plain data", v.Type())
	}
	return nil
}

// special writes values whose type decides, not its kind.
func (w *writer) special(v reflect.Value, depth int) (done bool, err error) {
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() || !v.CanInterface() {
		return false, nil
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return true, w.datetime(x)
	case time.Duration:
		w.timedelta(x)
	case Date:
		return true, w.date(x)
	case Decimal:
		return true, w.call("decimal", "Decimal", func() error { return w.text(string(x)) })
	case UUID:
		return true, w.uuid(x)
	case *big.Int:
		w.bigInteger(x)
	case big.Int:
		w.bigInteger(&x)
	case Tuple:
		w.buf = append(w.buf, opMark)
		err = w.each(v, depth)
		w.buf = append(w.buf, opTuple)
		return true, err
	case Set:
		return true, w.set(v, depth)
	case Dict:
		return true, w.dict(x, depth)
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return true, err
		}
		return true, w.text(string(text))
	default:
		return false, nil
	}
	return true, nil
}

func (w *writer) integer(n int64) {
	switch {
	case n >= 0 && n <= 0xff:
		w.buf = append(w.buf, opBinInt1, byte(n))
	case n >= 0 && n <= 0xffff:
		w.buf = append(w.buf, opBinInt2, byte(n), byte(n>>8))
	case n >= math.MinInt32 && n <= math.MaxInt32:
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, opBinInt), uint32(int32(n)))
	default:
		w.buf = binary.LittleEndian.AppendUint64(append(w.buf, opLong1, 8), uint64(n))
	}
}

func (w *writer) bigInteger(n *big.Int) {
	if n.IsInt64() {
		w.integer(n.Int64())
		return
	}
	magnitude := new(big.Int).Set(n)
	if n.Sign() < 0 {
		magnitude.Not(magnitude)
	}
	raw := make([]byte, magnitude.BitLen()/8+1) // with a bit for the sign
	magnitude.FillBytes(raw)
	slices.Reverse(raw)
	if n.Sign() < 0 {
		for i := range raw {
			raw[i] = ^raw[i]
		}
	}
	if len(raw) <= 0xff {
		w.buf = append(w.buf, opLong1, byte(len(raw)))
	} else {
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, opLong4), uint32(len(raw)))
	}
	w.buf = append(w.buf, raw...)
}

func (w *writer) text(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("a string is not UTF-8: use []byte")
	}
	switch {
	case uint64(len(text)) > math.MaxUint32 && w.protocol >= 4:
		w.buf = binary.LittleEndian.AppendUint64(append(w.buf, opBinUnicode8), uint64(len(text)))
	case uint64(len(text)) > math.MaxUint32:
		return fmt.Errorf("a string is longer than 4 GiB")
	case len(text) > 0xff || w.protocol < 4:
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, opBinUnicode), uint32(len(text)))
	default:
		w.buf = append(w.buf, opShortBinUnicode, byte(len(text)))
	}
	w.buf = append(w.buf, text...)
	return nil
}

func (w *writer) bytes(raw []byte) error {
	switch {
	case w.protocol < 4:
		w.buf = append(w.buf, "c_codecs\nencode\n"...)
		if err := w.text(fromLatin1(raw)); err != nil {
			return err
		}
		err := w.text("latin1")
		w.buf = append(w.buf, opTuple2, opReduce)
		return err
	case uint64(len(raw)) > math.MaxUint32:
		w.buf = binary.LittleEndian.AppendUint64(append(w.buf, opBinBytes8), uint64(len(raw)))
	case len(raw) > 0xff:
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, opBinBytes), uint32(len(raw)))
	default:
		w.buf = append(w.buf, opShortBinBytes, byte(len(raw)))
	}
	w.buf = append(w.buf, raw...)
	return nil
}

func (w *writer) slice(v reflect.Value, depth int) error {
	switch {
	case v.IsNil():
		w.buf = append(w.buf, opNone)
		return nil
	case v.Type().Elem().Kind() == reflect.Uint8:
		return w.bytes(v.Bytes())
	}
	return w.sequence(v, depth)
}

func (w *writer) sequence(v reflect.Value, depth int) error {
	w.buf = append(w.buf, opEmptyList, opMark)
	err := w.each(v, depth)
	w.buf = append(w.buf, opAppends)
	return err
}

func (w *writer) each(v reflect.Value, depth int) error {
	for i := range v.Len() {
		if err := w.value(v.Index(i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) set(v reflect.Value, depth int) error {
	if w.protocol >= 4 {
		w.buf = append(w.buf, opEmptySet, opMark)
		err := w.each(v, depth)
		w.buf = append(w.buf, opAddItems)
		return err
	}
	return w.call("__builtin__", "set", func() error { return w.sequence(v, depth) })
}

// call writes the call of a global with one argument.
func (w *writer) call(module, name string, argument func() error) error {
	w.global(module, name)
	err := argument()
	w.buf = append(w.buf, opTuple1, opReduce)
	return err
}

func (w *writer) global(module, name string) {
	if w.protocol < 4 {
		w.buf = append(w.buf, "c"+module+"\n"+name+"\n"...)
		return
	}
	_ = w.text(module) // both are ASCII
	_ = w.text(name)
	w.buf = append(w.buf, opStackGlobal)
}

func (w *writer) dict(d Dict, depth int) error {
	w.buf = append(w.buf, opEmptyDict, opMark)
	for _, item := range d {
		if err := w.value(reflect.ValueOf(item.Key), depth+1); err != nil {
			return err
		}
		if err := w.value(reflect.ValueOf(item.Value), depth+1); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, opSetItems)
	return nil
}

// dictOfMap writes the entries in the order of their encoded keys, so that equal maps
// have equal pickles.
func (w *writer) dictOfMap(v reflect.Value, depth int) error {
	if v.IsNil() {
		w.buf = append(w.buf, opNone)
		return nil
	}
	type entry struct {
		key   []byte
		value reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	for each := v.MapRange(); each.Next(); {
		key := &writer{protocol: w.protocol}
		if err := key.value(each.Key(), depth+1); err != nil {
			return err
		}
		entries = append(entries, entry{key.buf, each.Value()})
	}
	sort.Slice(entries, func(i, j int) bool { return bytes.Compare(entries[i].key, entries[j].key) < 0 })
	w.buf = append(w.buf, opEmptyDict, opMark)
	for _, e := range entries {
		w.buf = append(w.buf, e.key...)
		if err := w.value(e.value, depth+1); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, opSetItems)
	return nil
}

func (w *writer) dictOfStruct(v reflect.Value, depth int) error {
	w.buf = append(w.buf, opEmptyDict, opMark)
	for _, f := range fieldsOf(v.Type()).list {
		value := v.FieldByIndex(f.index)
		if f.omitEmpty && isEmpty(value) {
			continue
		}
		if err := w.text(f.name); err != nil {
			return err
		}
		if err := w.value(value, depth+1); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	w.buf = append(w.buf, opSetItems)
	return nil
}

// isEmpty is what omitempty means in encoding/json.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

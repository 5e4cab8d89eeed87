package flask

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

func init() {
	driver.RegisterFlaskJSON(driver.FlaskJSON{FromPickle: jsonOfPickle, ToPickle: pickleOfJSON})
}

// jsonOfPickle returns what json.dumps returns for the value of a pickle, without blanks. As
// in Python, a tuple is an array, and an int as the key of a dict is a string. Python also
// writes NaN, which is not JSON.
func jsonOfPickle(data []byte) ([]byte, bool) {
	value, err := unpickle(data)
	if err != nil {
		return nil, false
	}
	w := &jsonWriter{left: valuesPerByte * len(data)}
	ok := w.value(value, 0)
	return w.buf, ok
}

type jsonWriter struct {
	buf  []byte
	left int // values that the result may still have, as in reader
}

func (w *jsonWriter) value(v any, depth int) bool {
	if w.left--; w.left < 0 || depth > maxDepth {
		return false
	}
	switch v := v.(type) {
	case nil:
		w.buf = append(w.buf, "null"...)
	case bool:
		w.buf = strconv.AppendBool(w.buf, v)
	case int64:
		w.buf = strconv.AppendInt(w.buf, v, 10)
	case *big.Int:
		n := len(w.buf)
		w.buf = v.Append(w.buf, 10)
		return len(w.buf)-n <= maxDigits && w.spend(len(w.buf)-n)
	case float64:
		return w.float(v)
	case string:
		return w.text(v)
	case *list:
		return w.array(v.items, depth)
	case Tuple:
		return w.array(v, depth)
	case *dict:
		return w.object(v, depth)
	default:
		return false
	}
	return true
}

// float writes a number that is read as a float again.
func (w *jsonWriter) float(f float64) bool {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return false
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	w.buf = append(w.buf, text...)
	return true
}

// spend counts n bytes of the result.
func (w *jsonWriter) spend(n int) bool {
	w.left -= n / bytesPerValue
	return w.left >= 0
}

func (w *jsonWriter) text(text string) bool {
	if !w.spend(len(text)) {
		return false
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return false
	}
	w.buf = append(w.buf, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	return true
}

func (w *jsonWriter) array(items []any, depth int) bool {
	w.buf = append(w.buf, '[')
	for i, item := range items {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if !w.value(item, depth+1) {
			return false
		}
	}
	w.buf = append(w.buf, ']')
	return true
}

func (w *jsonWriter) object(d *dict, depth int) bool {
	w.buf = append(w.buf, '{')
	for i, item := range d.items {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		key, ok := item.Key.(string)
		if n, isInt := item.Key.(int64); isInt {
			key, ok = strconv.FormatInt(n, 10), true
		}
		if !ok || !w.text(key) {
			return false
		}
		w.buf = append(w.buf, ':')
		if !w.value(item.Value, depth+1) {
			return false
		}
	}
	w.buf = append(w.buf, '}')
	return true
}

// pickleOfJSON returns the pickle of what json.loads returns, with dicts in the order of the
// text.
func pickleOfJSON(text []byte) ([]byte, error) {
	r := json.NewDecoder(bytes.NewReader(text))
	r.UseNumber()
	value, err := jsonValue(r, 0)
	if err == nil && r.More() {
		err = errJSON
	}
	if err != nil {
		return nil, err
	}
	w := &writer{protocol: 4, buf: []byte{opProto, 4}}
	if err := w.value(reflect.ValueOf(value), 0); err != nil {
		return nil, errJSON
	}
	return append(w.buf, opStop), nil
}

var errJSON = corrupt("malformed JSON")

func jsonValue(r *json.Decoder, depth int) (any, error) {
	token, err := r.Token()
	if err != nil {
		return nil, errJSON // the cause could quote the value
	}
	if depth > maxDepth {
		return nil, corrupt("JSON is nested more than %d levels deep", maxDepth)
	}
	switch token := token.(type) {
	case json.Number:
		return jsonNumber(string(token))
	case json.Delim:
		if token == '[' {
			return jsonArray(r, depth)
		}
		return jsonObject(r, depth)
	}
	return token, nil // nil, bool or string
}

func jsonNumber(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		f, _ := strconv.ParseFloat(text, 64) // infinite if it is too large, as in Python
		return f, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if len(text) > maxDigits {
		return nil, corrupt("integer has more than %d digits", maxDigits)
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, errJSON
	}
	return n, nil
}

func jsonArray(r *json.Decoder, depth int) (any, error) {
	items := []any{}
	for r.More() {
		item, err := jsonValue(r, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, jsonEnd(r)
}

func jsonObject(r *json.Decoder, depth int) (any, error) {
	items := Dict{}
	for r.More() {
		key, err := r.Token()
		if err != nil {
			return nil, errJSON
		}
		value, err := jsonValue(r, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, Item{key, value})
	}
	return items, jsonEnd(r)
}

func jsonEnd(r *json.Decoder) error {
	if _, err := r.Token(); err != nil {
		return errJSON
	}
	return nil
}

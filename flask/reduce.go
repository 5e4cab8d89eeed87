package flask

import (
	"math/big"
	"slices"
	"time"
)

// global is a name of Python that a pickle refers to. It is never looked up anywhere.
type global struct{ module, name string }

// object is a uuid.UUID, whose state BUILD sets after it was made.
type object struct {
	uuid  UUID
	built bool
}

// constructors make values from the arguments of a call, for the globals that are plain
// data. Any other global ends the pickle.
var constructors map[global]func(args Tuple) (any, bool)

func init() {
	constructors = map[global]func(args Tuple) (any, bool){
		{"_codecs", "encode"}:         encodedBytes,
		{"datetime", "datetime"}:      newDatetime,
		{"datetime", "date"}:          newDate,
		{"datetime", "timedelta"}:     newTimedelta,
		{"datetime", "timezone"}:      newTimezone,
		{"decimal", "Decimal"}:        newDecimal,
		{"uuid", "UUID"}:              newUUID,
		{"copyreg", "_reconstructor"}: reconstructed,
	}
	for _, builtins := range []string{"builtins", "__builtin__"} { // the second in protocols 0 to 2
		constructors[global{builtins, "set"}] = newSet
		constructors[global{builtins, "frozenset"}] = newSet
		constructors[global{builtins, "bytes"}] = newBytes
		constructors[global{builtins, "bytearray"}] = newBytes
		constructors[global{builtins, "object"}] = nil // an argument of _reconstructor
	}
	constructors[global{"copy_reg", "_reconstructor"}] = reconstructed
}

func (m *machine) global() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.pushGlobal(module, name)
}

func (m *machine) stackGlobal() error {
	values, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok1 := values[0].(string)
	name, ok2 := values[1].(string)
	if !ok1 || !ok2 {
		return corrupt("name of a global in a pickle is not a str")
	}
	return m.pushGlobal(module, name)
}

func (m *machine) pushGlobal(module, name string) error {
	g := global{module, name}
	if _, ok := constructors[g]; !ok {
		return corrupt("pickle refers to %s, which is not plain data", quoteName(module, name))
	}
	m.push(g)
	return nil
}

// object executes the opcodes that make a value from a global.
func (m *machine) object(op byte) error {
	values, err := m.popN(2)
	if err != nil {
		return err
	}
	if m.left -= weight(values[1]); m.left < 0 {
		return errReused
	}
	if op == opBuild {
		m.push(values[0])
		return build(values[0], values[1])
	}
	g, isGlobal := values[0].(global)
	args, isTuple := values[1].(Tuple)
	if !isGlobal || !isTuple {
		return corrupt("pickle calls a value that is not callable")
	}
	construct := constructors[g]
	if construct == nil {
		return corrupt("pickle calls %s, which is not plain data", quoteName(g.module, g.name))
	}
	value, ok := construct(args)
	if !ok {
		return corrupt("arguments of %s in a pickle are malformed", quoteName(g.module, g.name))
	}
	m.push(value)
	return nil
}

// errReused ends a pickle that passes one argument to many calls. Python writes the
// arguments of each call.
var errReused = corrupt("pickle passes more values to calls than it has bytes")

// weight returns how many values a call with args copies or looks at.
func weight(args any) (n int) {
	switch args := args.(type) {
	case Tuple:
		for _, arg := range args[:min(len(args), 3)] { // no call takes more
			if _, isTuple := arg.(Tuple); !isTuple {
				n += weight(arg)
			}
		}
	case string:
		return len(args) / bytesPerValue
	case *list:
		return len(args.items)
	case *dict:
		return len(args.items)
	}
	return n
}

func encodedBytes(args Tuple) (any, bool) {
	if len(args) != 2 || args[1] != "latin1" && args[1] != "latin-1" {
		return nil, false
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, false
	}
	return latin1(text)
}

func newBytes(args Tuple) (any, bool) {
	switch len(args) {
	case 0:
		return []byte{}, true
	case 1:
		value, ok := args[0].([]byte)
		return value, ok
	}
	return encodedBytes(args)
}

func newSet(args Tuple) (any, bool) {
	if len(args) == 0 {
		return new(set), true
	}
	from, ok := args[0].(*list)
	if !ok || len(args) != 1 || hashable(from.items) != nil {
		return nil, false
	}
	return &set{slices.Clone(from.items)}, true // the list may grow
}

func newDecimal(args Tuple) (any, bool) {
	if len(args) != 1 {
		return nil, false
	}
	text, ok := args[0].(string)
	return Decimal(text), ok
}

// newDatetime decodes the state that datetime.__reduce_ex__ writes: ten bytes, with the
// fold in the highest bit of the month.
func newDatetime(args Tuple) (any, bool) {
	if len(args) < 1 || len(args) > 2 {
		return nil, false
	}
	state, ok := args[0].([]byte)
	if !ok || len(state) != 10 {
		return nil, false
	}
	in := Naive
	if len(args) == 2 && args[1] != nil {
		if in, ok = args[1].(*time.Location); !ok {
			return nil, false
		}
	}
	date, ok := dateOf(state[0], state[1], state[2]&0x7f, state[3])
	micros := int(state[7])<<16 | int(state[8])<<8 | int(state[9])
	if !ok || state[4] > 23 || state[5] > 59 || state[6] > 59 || micros >= 1e6 {
		return nil, false
	}
	return time.Date(date.Year, date.Month, date.Day, int(state[4]), int(state[5]), int(state[6]), micros*1000, in), true
}

func newDate(args Tuple) (any, bool) {
	if len(args) != 1 {
		return nil, false
	}
	state, ok := args[0].([]byte)
	if !ok || len(state) != 4 {
		return nil, false
	}
	return dateOf(state[0], state[1], state[2], state[3])
}

func dateOf(high, low, month, day byte) (Date, bool) {
	d := Date{int(high)<<8 | int(low), time.Month(month), int(day)}
	return d, d.isValid()
}

func (d Date) isValid() bool {
	year, month, day := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Date()
	return d == Date{year, month, day} && d.Year >= 1 && d.Year <= 9999
}

// newTimedelta accepts what fits in a time.Duration: 292 years.
func newTimedelta(args Tuple) (any, bool) {
	if len(args) != 3 {
		return nil, false
	}
	total := new(big.Int)
	for i, unit := range []int64{24 * int64(time.Hour), int64(time.Second), int64(time.Microsecond)} {
		n, ok := args[i].(int64)
		if !ok {
			return nil, false
		}
		total.Add(total, new(big.Int).Mul(big.NewInt(n), big.NewInt(unit)))
	}
	return time.Duration(total.Int64()), total.IsInt64()
}

func newTimezone(args Tuple) (any, bool) {
	if len(args) < 1 || len(args) > 2 { // the second is its name
		return nil, false
	}
	offset, ok := args[0].(time.Duration)
	if !ok || offset.Abs() >= 24*time.Hour {
		return nil, false
	}
	if offset == 0 {
		return time.UTC, true
	}
	return time.FixedZone("", int(offset/time.Second)), true
}

func newUUID(args Tuple) (any, bool) { return new(object), len(args) == 0 }

// reconstructed is how protocols 0 and 1 make a UUID.
func reconstructed(args Tuple) (any, bool) {
	if len(args) != 3 || args[0] != (global{"uuid", "UUID"}) || args[2] != nil {
		return nil, false
	}
	return new(object), true
}

// build sets the state of a UUID: a dict with its integer.
func build(value, state any) error {
	o, isObject := value.(*object)
	d, isDict := state.(*dict)
	if !isObject || !isDict {
		return corrupt("pickle sets the state of a value that has none")
	}
	for _, item := range d.items {
		if item.Key != "int" {
			continue
		}
		switch n := item.Value.(type) {
		case int64:
			if n >= 0 {
				big.NewInt(n).FillBytes(o.uuid[:])
				o.built = true
			}
		case *big.Int:
			if n.Sign() >= 0 && n.BitLen() <= 8*len(o.uuid) {
				n.FillBytes(o.uuid[:])
				o.built = true
			}
		}
	}
	if !o.built {
		return corrupt("state of a UUID in a pickle is malformed")
	}
	return nil
}

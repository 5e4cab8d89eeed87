package flask

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// machine executes a pickle, the program of a small stack machine, as data: nothing is
// imported or called. The opcodes are those of Lib/pickletools.py of CPython 3.13,
// protocols 0 to 5. Memory is bounded by the size of the pickle: lengths are compared
// with what is left of it before anything is allocated.
type machine struct {
	data  []byte
	pos   int
	stack []any
	marks []int // indexes in stack
	memo  []any
	left  int // values that calls may still copy or look at, see object
}

// Values on the stack are nil, bool, int64, *big.Int, float64, string, []byte, Tuple, the
// types of results in reduce.go, and these three, which later opcodes can change.
type (
	list struct{ items []any }
	dict struct {
		items   []Item
		strings bool // every key is a string
	}
	set struct{ items []any }
)

// unpickle returns the value of a pickle, with containers of the machine. It ignores bytes
// after the end, as Python does: a value that Flask-Caching spreads over several keys may
// be followed by the rest of a longer one.
func unpickle(data []byte) (value any, err error) {
	m := &machine{data: data, left: len(data)}
	for {
		op, err := m.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			break
		}
		if err := m.step(op); err != nil {
			return nil, err
		}
	}
	if len(m.stack) != 1 || len(m.marks) != 0 {
		return nil, corrupt("pickle ends with %d values", len(m.stack))
	}
	return m.stack[0], nil
}

func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		version, err := m.byte()
		if err == nil && version > 5 {
			err = corrupt("pickle of protocol %d, at most 5 is supported", version)
		}
		return err
	case opFrame:
		size, err := m.length(8)
		if err == nil && size > uint64(len(m.data)-m.pos) {
			err = corrupt("frame of a pickle is truncated")
		}
		return err
	case opMark:
		m.marks = append(m.marks, len(m.stack))
		return nil
	case opPop:
		return m.popOne()
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		top, err := m.top()
		m.push(top)
		return err
	case opNone:
		m.push(nil)
	case opTrue:
		m.push(true)
	case opFalse:
		m.push(false)
	case opInt, opLong, opFloat, opString, opUnicode, opGet, opPut, opGlobal:
		return m.text(op)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opLong4, opBinFloat:
		return m.number(op)
	case opShortBinString, opShortBinUnicode, opShortBinBytes:
		return m.bytes(op, 1)
	case opBinString, opBinUnicode, opBinBytes:
		return m.bytes(op, 4)
	case opBinUnicode8, opBinBytes8, opByteArray8:
		return m.bytes(op, 8)
	case opEmptyList, opList, opAppend, opAppends, opEmptyTuple, opTuple, opTuple1, opTuple2, opTuple3,
		opEmptyDict, opDict, opSetItem, opSetItems, opEmptySet, opAddItems, opFrozenSet:
		return m.container(op)
	case opBinGet, opLongBinGet:
		index, err := m.length(width(op == opLongBinGet))
		if err != nil {
			return err
		}
		return m.get(index)
	case opBinPut, opLongBinPut:
		index, err := m.length(width(op == opLongBinPut))
		if err != nil {
			return err
		}
		return m.put(index)
	case opMemoize:
		return m.put(uint64(len(m.memo)))
	case opStackGlobal:
		return m.stackGlobal()
	case opReduce, opNewObj, opBuild:
		return m.object(op)
	default:
		return corrupt("pickle has the opcode 0x%02x, which is not plain data", op)
	}
	return nil
}

func width(long bool) int {
	if long {
		return 4
	}
	return 1
}

func (m *machine) push(value any) { m.stack = append(m.stack, value) }

// bottom is the lowest index that an opcode may pop.
func (m *machine) bottom() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

var errStack = corrupt("pickle takes more values than there are")

func (m *machine) pop() (any, error) {
	top, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return top, err
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.bottom() {
		return nil, errStack
	}
	return m.stack[len(m.stack)-1], nil
}

// popOne is the opcode POP, which also removes a mark.
func (m *machine) popOne() error {
	if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
		m.marks = m.marks[:n-1]
		return nil
	}
	_, err := m.pop()
	return err
}

// popMark removes the values above the last mark, and the mark. The result is valid
// until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, corrupt("pickle has no mark where it needs one")
	}
	from := m.bottom()
	values := m.stack[from:]
	m.stack, m.marks = m.stack[:from], m.marks[:len(m.marks)-1]
	return values, nil
}

// popN returns the n values on top, valid until the next push.
func (m *machine) popN(n int) ([]any, error) {
	if len(m.stack)-m.bottom() < n {
		return nil, errStack
	}
	values := m.stack[len(m.stack)-n:]
	m.stack = m.stack[:len(m.stack)-n]
	return values, nil
}

func (m *machine) get(index uint64) error {
	if index >= uint64(len(m.memo)) {
		return corrupt("pickle reads the memo at an index that was not written")
	}
	m.push(m.memo[index])
	return nil
}

// put keeps the top in the memo. Python numbers the entries in order, so an index
// beyond the size of the pickle is no index of Python.
func (m *machine) put(index uint64) error {
	top, err := m.top()
	if err != nil {
		return err
	}
	if index > uint64(len(m.data)) {
		return corrupt("index in the memo of a pickle is too large")
	}
	for uint64(len(m.memo)) <= index {
		m.memo = append(m.memo, nil)
	}
	m.memo[index] = top
	return nil
}

var errTruncated = corrupt("pickle is truncated")

func (m *machine) byte() (byte, error) {
	if m.pos >= len(m.data) {
		return 0, errTruncated
	}
	m.pos++
	return m.data[m.pos-1], nil
}

// next returns the next n bytes, memory of the pickle.
func (m *machine) next(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.pos) {
		return nil, errTruncated
	}
	begin := m.pos
	m.pos += int(n)
	return m.data[begin:m.pos:m.pos], nil
}

// length reads an unsigned little-endian number of size bytes.
func (m *machine) length(size int) (uint64, error) {
	raw, err := m.next(uint64(size))
	if err != nil {
		return 0, err
	}
	var padded [8]byte
	copy(padded[:], raw)
	return binary.LittleEndian.Uint64(padded[:]), nil
}

// line reads up to a line feed, which it does not return.
func (m *machine) line() (string, error) {
	end := bytes.IndexByte(m.data[m.pos:], '\n')
	if end < 0 {
		return "", errTruncated
	}
	text, _ := m.next(uint64(end))
	m.pos++
	return string(text), nil
}

func (m *machine) text(op byte) error {
	if op == opGlobal {
		return m.global()
	}
	line, err := m.line()
	if err != nil {
		return err
	}
	switch op {
	case opInt, opLong:
		return m.textInteger(op, line)
	case opFloat:
		f, err := strconv.ParseFloat(line, 64)
		if err != nil && !math.IsInf(f, 0) {
			return corrupt("float of a pickle is malformed")
		}
		m.push(f)
	case opUnicode:
		text, err := rawUnicodeEscape(line)
		if err != nil {
			return err
		}
		m.push(text)
	case opString:
		text, err := pythonLiteral(line)
		if err != nil {
			return err
		}
		m.push(text)
	default: // GET and PUT
		index, err := strconv.ParseUint(line, 10, 32)
		if err != nil {
			return corrupt("index in the memo of a pickle is malformed")
		}
		if op == opGet {
			return m.get(index)
		}
		return m.put(index)
	}
	return nil
}

// maxDigits is the limit of CPython for conversions between int and text
// (sys.int_info.default_max_str_digits). Their time is quadratic.
const maxDigits = 4300

var errDigits = corrupt("integer of a pickle has more than %d digits", maxDigits)

func (m *machine) textInteger(op byte, line string) error {
	if op == opInt && (line == "00" || line == "01") {
		m.push(line == "01")
		return nil
	}
	if op == opLong {
		line = strings.TrimSuffix(line, "L")
	}
	if len(line) > maxDigits {
		return errDigits
	}
	if n, err := strconv.ParseInt(line, 10, 64); err == nil {
		m.push(n)
		return nil
	}
	big, ok := new(big.Int).SetString(line, 10)
	if !ok {
		return corrupt("integer of a pickle is malformed")
	}
	m.push(big)
	return nil
}

func (m *machine) number(op byte) error {
	switch op {
	case opBinInt1:
		n, err := m.length(1)
		m.push(int64(n))
		return err
	case opBinInt2:
		n, err := m.length(2)
		m.push(int64(n))
		return err
	case opBinInt:
		n, err := m.length(4)
		m.push(int64(int32(n)))
		return err
	case opBinFloat:
		raw, err := m.next(8)
		if err == nil {
			m.push(math.Float64frombits(binary.BigEndian.Uint64(raw)))
		}
		return err
	}
	size, err := m.length(width(op == opLong4))
	if err != nil {
		return err
	}
	raw, err := m.next(size)
	if err == nil {
		m.push(twosComplement(raw))
	}
	return err
}

// twosComplement returns the little-endian integer in raw.
func twosComplement(raw []byte) any {
	if len(raw) <= 8 {
		var padded [8]byte
		if len(raw) > 0 && raw[len(raw)-1] >= 0x80 {
			padded = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
		}
		copy(padded[:], raw)
		return int64(binary.LittleEndian.Uint64(padded[:]))
	}
	negative := raw[len(raw)-1] >= 0x80
	bigEndian := make([]byte, len(raw))
	for i, b := range raw {
		if negative {
			b = ^b
		}
		bigEndian[len(raw)-1-i] = b
	}
	n := new(big.Int).SetBytes(bigEndian)
	if negative {
		n.Not(n)
	}
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

func (m *machine) bytes(op byte, size int) error {
	n, err := m.length(size)
	if err != nil {
		return err
	}
	raw, err := m.next(n)
	if err != nil {
		return err
	}
	switch op {
	case opShortBinUnicode, opBinUnicode, opBinUnicode8:
		if !utf8.Valid(raw) {
			return corrupt("str of a pickle is not UTF-8") // such as a lone surrogate
		}
		m.push(string(raw))
	default:
		m.push(append([]byte{}, raw...))
	}
	return nil
}

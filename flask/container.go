package flask

import (
	"math/big"
	"slices"
)

// container executes the opcodes that make and fill containers.
func (m *machine) container(op byte) error {
	switch op {
	case opEmptyList:
		m.push(new(list))
	case opEmptyDict:
		m.push(&dict{strings: true})
	case opEmptySet:
		m.push(new(set))
	case opEmptyTuple:
		m.push(Tuple{})
	case opTuple1, opTuple2, opTuple3:
		values, err := m.popN(int(op) - opTuple1 + 1)
		return m.pushed(Tuple(slices.Clone(values)), err)
	case opTuple:
		values, err := m.popMark()
		return m.pushed(Tuple(slices.Clone(values)), err)
	case opList:
		values, err := m.popMark()
		return m.pushed(&list{slices.Clone(values)}, err)
	case opFrozenSet:
		values, err := m.popMark()
		if err == nil {
			err = hashable(values)
		}
		return m.pushed(&set{slices.Clone(values)}, err)
	case opDict:
		values, err := m.popMark()
		made := &dict{strings: true}
		if err == nil {
			err = made.add(values)
		}
		return m.pushed(made, err)
	case opAppend, opSetItem:
		values, err := m.popN(1 + isPair(op == opSetItem))
		if err != nil {
			return err
		}
		return m.fill(op, values)
	default: // APPENDS, SETITEMS, ADDITEMS
		values, err := m.popMark()
		if err != nil {
			return err
		}
		return m.fill(op, values)
	}
	return nil
}

func isPair(pair bool) int {
	if pair {
		return 1
	}
	return 0
}

func (m *machine) pushed(value any, err error) error {
	if err == nil {
		m.push(value)
	}
	return err
}

// fill adds values to the container on top.
func (m *machine) fill(op byte, values []any) error {
	top, err := m.top()
	if err != nil {
		return err
	}
	switch into := top.(type) {
	case *list:
		if op == opAppend || op == opAppends {
			into.items = append(into.items, values...)
			return nil
		}
	case *dict:
		if op == opSetItem || op == opSetItems {
			return into.add(values)
		}
	case *set:
		if op == opAddItems {
			into.items = append(into.items, values...)
			return hashable(values)
		}
	}
	return corrupt("pickle fills a container of another type")
}

// add adds keys and values in turn.
func (d *dict) add(values []any) error {
	if len(values)%2 != 0 {
		return corrupt("dict of a pickle has a key without a value")
	}
	d.items = slices.Grow(d.items, len(values)/2)
	for i := 0; i < len(values); i += 2 {
		if _, ok := values[i].(string); !ok {
			d.strings = false
			if err := hashable(values[i : i+1]); err != nil {
				return err
			}
		}
		d.items = append(d.items, Item{values[i], values[i+1]})
	}
	return nil
}

// hashable returns an error if one of values cannot be a key in Python.
func hashable(values []any) error {
	for _, value := range values {
		switch value.(type) {
		case nil, bool, int64, *big.Int, float64, string, []byte, Tuple, *set:
		case *list, *dict, *object, global:
			return corrupt("key of a pickle is not hashable")
		}
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
)

// topModel is the screen of top for bubbletea. Readings and scans follow one another: a
// scan reads entries too, and what it does must not count as activity of others.
type topModel struct {
	ctx    context.Context
	store  *entryStore
	flags  topFlags
	state  topState
	base   reading   // the activity shown next begins there
	rescan time.Time // when a scan is due
	width  int
	height int
}

// Messages to the model.
type (
	readMsg   reading
	sampleMsg struct {
		sample  sample
		reading reading // after the scan
	}
	intervalMsg struct{}
)

// topScreen runs the screen until the user leaves it.
func (a *app) topScreen(ctx context.Context, s *entryStore, prefix string, flags topFlags, in *os.File) error {
	model := topModel{ctx: ctx, store: s, flags: flags, width: 80, height: 24,
		state: topState{backend: s.cache.Name(), prefix: prefix, interval: flags.interval}}
	program := tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(a.stdout), tea.WithEnvironment(a.environ), tea.WithoutSignalHandler())
	_, err := program.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil // a signal is the usual way to leave
	}
	return err
}

func (m topModel) Init() tea.Cmd { return m.read }

func (m topModel) read() tea.Msg { return readMsg(m.store.reading(m.ctx)) }

// maxScan bounds a scan, during which no activity is shown.
const maxScan = 5 * time.Second

func (m topModel) scan() tea.Msg {
	ctx, cancel := context.WithTimeout(m.ctx, maxScan)
	defer cancel()
	found := m.store.sample(ctx, m.state.prefix, m.flags.separator, m.flags.sample)
	return sampleMsg{found, m.store.reading(m.ctx)}
}

// nextInterval waits before the next reading.
func (m topModel) nextInterval() (tea.Model, tea.Cmd) {
	return m, tea.Tick(m.flags.interval, func(time.Time) tea.Msg { return intervalMsg{} })
}

// minRescan is the shortest time between two scans. The longest is ten times the duration
// of a scan.
const minRescan = 10 * time.Second

func (m topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case intervalMsg:
		if m.state.paused {
			return m.nextInterval()
		}
		return m, m.read
	case readMsg:
		now := reading(msg)
		if now.err == nil && m.base.err == nil && !m.base.at.IsZero() {
			m.state.activity = activities(m.base, now)
		}
		m.state.now, m.base = now, now
		if now.err == nil && m.flags.sample > 0 && !now.at.Before(m.rescan) {
			return m, m.scan
		}
		return m.nextInterval()
	case sampleMsg:
		m.state.sample, m.base = &msg.sample, msg.reading
		m.rescan = msg.sample.at.Add(max(minRescan, 10*msg.sample.took))
		return m.nextInterval()
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		case "p", "space":
			m.state.paused = !m.state.paused
		case "r":
			m.rescan = time.Time{}
		}
	}
	return m, nil
}

func (m topModel) View() tea.View {
	view := tea.NewView(m.state.view(m.width, m.height))
	view.AltScreen = true
	view.WindowTitle = "cachectl top"
	return view
}

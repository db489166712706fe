package rpc

import (
	"maps"
	"slices"
	"sync"
)

// Member is a member of a group that consumes on its own.
type Member struct {
	lock    sync.Mutex
	owned   map[int32]bool
	records []Record
	failure error
	stop    func()
}

// State is what a member owns, and what it received since the last time.
type State struct {
	Partitions []int32  `json:"partitions"`
	Records    []Record `json:"records"`
}

// NewMember makes a member that leaves the group when stop is called; stop returns when it has left.
func NewMember() *Member {
	return &Member{owned: map[int32]bool{}}
}

// Owns notes that the member owns partitions, or no longer does.
func (m *Member) Owns(owned bool, partitions ...int32) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, partition := range partitions {
		if owned {
			m.owned[partition] = true
		} else {
			delete(m.owned, partition)
		}
	}
}

// Received notes a record.
func (m *Member) Received(record Record) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.records = append(m.records, record)
}

// Failed notes an error, which the next State shows.
func (m *Member) Failed(err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.failure = err
}

// State tells and forgets what was received.
func (m *Member) State() (any, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	state := State{slices.AppendSeq([]int32{}, maps.Keys(m.owned)), append([]Record{}, m.records...)}
	m.records = nil
	return state, m.failure
}

// Members are the members of a driver by their names.
type Members struct {
	all map[string]*Member
}

// Add keeps a member, and how it leaves.
func (m *Members) Add(name string, member *Member, leave func()) {
	if m.all == nil {
		m.all = map[string]*Member{}
	}
	member.stop = leave
	m.all[name] = member
}

// State is the operation of that name.
func (m *Members) State(a Args) (any, error) {
	return m.all[a.Member].State()
}

// Leave is the operation of that name.
func (m *Members) Leave(a Args) (any, error) {
	member := m.all[a.Member]
	delete(m.all, a.Member)
	member.stop()
	return nil, member.failure
}

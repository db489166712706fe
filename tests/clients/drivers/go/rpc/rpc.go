// Package rpc is what the Go drivers share: one operation for each line of JSON on stdin, one line for its result on
// stdout.
package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"
)

// TakeTime is how long a driver waits for the records it is asked to consume.
const TakeTime = 15 * time.Second

// Args are the arguments of all operations.
type Args struct {
	Topic      string
	Group      string
	Member     string
	Assignor   string
	Partitions int32
	Configs    map[string]string
	Records    []Record
	Codec      string
	Idempotent bool
	Partition  int32
	Offset     int64
	Timestamp  int64
	Count      int
	Name       string
	Value      string
}

// Record is a record to produce or one that was received.
type Record struct {
	Partition *int32   `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp *int64   `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

// Header is written as a pair.
type Header struct {
	Name  string
	Value []byte
}

func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.Name, h.Value})
}

func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

// Place is where a record was stored.
type Place [2]int64

// Group is what describe_group answers.
type Group struct {
	State   string `json:"state"`
	Members int    `json:"members"`
}

// Cluster is what describe_cluster answers; a node is its id, host and port.
type Cluster struct {
	Nodes      [][3]any `json:"nodes"`
	Controller int32    `json:"controller"`
}

// Altered is what alter_config answers.
type Altered struct {
	Incremental bool `json:"incremental"`
}

// UntilStdinEnds makes a context by which programs that run on their own are told to stop.
func UntilStdinEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

// Operation does what its name says.
type Operation func(Args) (any, error)

// Say writes a line in one piece.
func Say(message any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		os.Exit(1)
	}
}

// Serve runs operations as they are asked for, until stdin ends. errorCode finds Kafka's number in an error.
func Serve(modules []string, operations map[string]Operation, errorCode func(error) *int16) {
	Say(map[string]any{"client": versions(modules)})
	requests := bufio.NewReader(os.Stdin)
	for {
		line, err := requests.ReadBytes('\n')
		if err != nil {
			return
		}
		result, err := run(line, operations)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			Say(map[string]any{"error": errorCode(err), "message": err.Error()})
		} else {
			Say(map[string]any{"result": result})
		}
	}
}

func run(line []byte, operations map[string]Operation) (any, error) {
	var request struct {
		Op string
		Args
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return nil, err
	}
	operation, known := operations[request.Op]
	if !known {
		return nil, fmt.Errorf("no operation %s", request.Op)
	}
	return operation(request.Args)
}

func versions(modules []string) string {
	text := ""
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		for _, wanted := range modules {
			if module.Path == wanted {
				text += module.Path + " " + module.Version + " "
			}
		}
	}
	return text
}

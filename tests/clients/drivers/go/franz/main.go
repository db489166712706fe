// The driver of franz-go, with kadm.
package main

import (
	"errors"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/drivers/rpc"
)

type driver struct {
	bootstrap string
	admin     *kadm.Client
	members   rpc.Members
}

func main() {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	d := &driver{bootstrap: os.Args[1], admin: kadm.NewClient(client)}
	rpc.Serve(
		[]string{"github.com/twmb/franz-go", "github.com/twmb/franz-go/pkg/kadm"},
		map[string]rpc.Operation{
			"create_topic":         d.createTopic,
			"produce":              d.produce,
			"fetch":                d.fetch,
			"offset_for_time":      d.offsetForTime,
			"consume":              d.consume,
			"join":                 d.join,
			"state":                d.members.State,
			"leave":                d.members.Leave,
			"describe_cluster":     d.describeCluster,
			"list_topics":          d.listTopics,
			"describe_topic":       d.describeTopic,
			"describe_configs":     d.describeConfigs,
			"alter_config":         d.alterConfig,
			"create_partitions":    d.createPartitions,
			"list_groups":          d.listGroups,
			"describe_group":       d.describeGroup,
			"group_offsets":        d.groupOffsets,
			"delete_records":       d.deleteRecords,
			"delete_group_offsets": d.deleteGroupOffsets,
			"delete_group":         d.deleteGroup,
			"delete_topic":         d.deleteTopic,
		},
		errorCode,
	)
}

func (d *driver) client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options,
		kgo.SeedBrokers(d.bootstrap),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
	)...)
}

func errorCode(err error) *int16 {
	var answer *kerr.Error
	if errors.As(err, &answer) {
		return &answer.Code
	}
	return nil
}

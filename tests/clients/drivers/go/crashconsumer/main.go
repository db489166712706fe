// A consumer of the crash loop with franz-go: `crashconsumer BOOTSTRAP TOPIC GROUP`.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/drivers/rpc"
)

const commitTime = 10 * time.Second

func main() {
	bootstrap, topic, group := os.Args[1], os.Args[2], os.Args[3]
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := rpc.UntilStdinEnds()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, partition int32, err error) { log.Printf("fetch of %d: %v", partition, err) })
		if records := fetches.Records(); len(records) > 0 {
			process(client, records)
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
}

func process(client *kgo.Client, records []*kgo.Record) {
	positions := map[int32]int64{}
	for _, record := range records {
		place := rpc.Place{int64(record.Partition), record.Offset}
		rpc.Say(map[string]any{"processed": string(record.Value), "place": place})
		positions[record.Partition] = record.Offset + 1
	}
	pairs := []rpc.Place{}
	for partition, offset := range positions {
		pairs = append(pairs, rpc.Place{int64(partition), offset})
	}
	rpc.Say(map[string]any{"committing": pairs})
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	if err := client.CommitRecords(ctx, records...); err != nil {
		fmt.Fprintln(os.Stderr, "commit failed:", err)
		return
	}
	rpc.Say(map[string]any{"committed": pairs})
}

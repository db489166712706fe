package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"ottla/drivers/rpc"
)

var balancers = map[string]kgo.GroupBalancer{
	"range":              kgo.RangeBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

func (d *driver) groupClient(group, topic string, options ...kgo.Opt) (*kgo.Client, error) {
	return d.client(append(options,
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.FetchMaxWait(100*time.Millisecond),
	)...)
}

func (d *driver) consume(a rpc.Args) (any, error) {
	client, err := d.groupClient(a.Group, a.Topic, kgo.DisableAutoCommit())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	records, err := take(client, a.Count)
	if err != nil {
		return nil, err
	}
	return allReceived(records), client.CommitRecords(context.Background(), records...)
}

func (d *driver) join(a rpc.Args) (any, error) {
	balancer, known := balancers[a.Assignor]
	if !known {
		return nil, fmt.Errorf("no assignor %s", a.Assignor)
	}
	member := rpc.NewMember()
	owns := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			member.Owns(owned, changed[a.Topic]...)
		}
	}
	client, err := d.groupClient(a.Group, a.Topic,
		kgo.Balancers(balancer),
		kgo.OnPartitionsAssigned(owns(true)),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
			// setting this function takes the place of a default that commits
			if err := client.CommitUncommittedOffsets(ctx); err != nil {
				member.Failed(err)
			}
			member.Owns(false, revoked[a.Topic]...)
		}),
		kgo.OnPartitionsLost(owns(false)),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		poll(ctx, client, member)
	}()
	d.members.Add(a.Member, member, func() {
		cancel()
		<-ended
		client.Close()
	})
	return nil, nil
}

func poll(ctx context.Context, client *kgo.Client, member *rpc.Member) {
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil && !errors.Is(err, context.Canceled) {
			member.Failed(err)
		}
		fetches.EachRecord(func(record *kgo.Record) { member.Received(received(record)) })
	}
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"ottla/drivers/rpc"
)

var strategies = map[string]func() sarama.BalanceStrategy{
	"range":              sarama.NewBalanceStrategyRange,
	"cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky,
}

// taker consumes so many records and commits exactly those.
type taker struct {
	count    int
	messages chan *sarama.ConsumerMessage
	records  []rpc.Record
	done     context.CancelFunc
}

func (t *taker) Setup(session sarama.ConsumerGroupSession) error {
	go func() {
		defer t.done()
		for len(t.records) < t.count {
			select {
			case message := <-t.messages:
				t.records = append(t.records, received(message))
				session.MarkMessage(message, "")
			case <-session.Context().Done():
				return
			}
		}
		session.Commit()
	}()
	return nil
}

func (t *taker) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (t *taker) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message := <-claim.Messages():
			select {
			case t.messages <- message:
			case <-session.Context().Done():
				return nil
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func (d *driver) consume(a rpc.Args) (any, error) {
	config := config()
	config.Consumer.Offsets.AutoCommit.Enable = false
	group, err := sarama.NewConsumerGroup(d.brokers, a.Group, config)
	if err != nil {
		return nil, err
	}
	ctx, done := context.WithTimeout(context.Background(), rpc.TakeTime)
	taker := &taker{count: a.Count, messages: make(chan *sarama.ConsumerMessage), records: []rpc.Record{}, done: done}
	err = group.Consume(ctx, []string{a.Topic}, taker)
	return taker.records, errors.Join(err, group.Close())
}

// follower consumes for a member; a claim lasts as long as the member owns the partition.
type follower struct {
	member *rpc.Member
}

func (follower) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (follower) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (f follower) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	f.member.Owns(true, claim.Partition())
	defer f.member.Owns(false, claim.Partition())
	for message := range claim.Messages() {
		f.member.Received(received(message))
		session.MarkMessage(message, "")
	}
	return nil
}

func (d *driver) join(a rpc.Args) (any, error) {
	strategy, known := strategies[a.Assignor]
	if !known {
		return nil, fmt.Errorf("no assignor %s", a.Assignor)
	}
	config := config()
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy()}
	group, err := sarama.NewConsumerGroup(d.brokers, a.Group, config)
	if err != nil {
		return nil, err
	}
	member := rpc.NewMember()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{a.Topic}, follower{member}); err != nil {
				member.Failed(err)
			}
		}
	}()
	d.members.Add(a.Member, member, func() {
		cancel()
		<-ended
		if err := group.Close(); err != nil {
			member.Failed(err)
		}
	})
	return nil, nil
}

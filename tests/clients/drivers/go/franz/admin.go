package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"

	"ottla/drivers/rpc"
)

var ctx = context.Background()

func (d *driver) createTopic(a rpc.Args) (any, error) {
	configs := map[string]*string{}
	for name, value := range a.Configs {
		configs[name] = kadm.StringPtr(value)
	}
	_, err := d.admin.CreateTopic(ctx, a.Partitions, 1, configs, a.Topic)
	return nil, err
}

func (d *driver) describeCluster(rpc.Args) (any, error) {
	metadata, err := d.admin.BrokerMetadata(ctx)
	cluster := rpc.Cluster{Controller: metadata.Controller}
	for _, broker := range metadata.Brokers {
		cluster.Nodes = append(cluster.Nodes, [3]any{broker.NodeID, broker.Host, broker.Port})
	}
	return cluster, err
}

func (d *driver) listTopics(rpc.Args) (any, error) {
	topics, err := d.admin.ListTopics(ctx)
	return topics.Names(), err
}

func (d *driver) describeTopic(a rpc.Args) (any, error) {
	topics, err := d.admin.ListTopics(ctx, a.Topic)
	if err != nil {
		return nil, err
	}
	topic := topics[a.Topic]
	return topic.Partitions.Numbers(), topic.Err
}

func (d *driver) describeConfigs(a rpc.Args) (any, error) {
	described, err := d.admin.DescribeTopicConfigs(ctx, a.Topic)
	if err != nil {
		return nil, err
	}
	topic, err := described.On(a.Topic, nil)
	values := map[string]*string{}
	for _, config := range topic.Configs {
		values[config.Key] = config.Value
	}
	return values, err
}

func (d *driver) alterConfig(a rpc.Args) (any, error) {
	change := kadm.AlterConfig{Op: kadm.SetConfig, Name: a.Name, Value: &a.Value}
	altered, err := d.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, a.Topic)
	if err != nil {
		return nil, err
	}
	topic, err := altered.On(a.Topic, nil)
	if err != nil {
		return nil, err
	}
	return rpc.Altered{Incremental: true}, topic.Err
}

func (d *driver) createPartitions(a rpc.Args) (any, error) {
	created, err := d.admin.UpdatePartitions(ctx, a.Count, a.Topic)
	if err != nil {
		return nil, err
	}
	return nil, created.Error()
}

func (d *driver) listGroups(rpc.Args) (any, error) {
	groups, err := d.admin.ListGroups(ctx)
	return groups.Groups(), err
}

func (d *driver) describeGroup(a rpc.Args) (any, error) {
	groups, err := d.admin.DescribeGroups(ctx, a.Group)
	if err != nil {
		return nil, err
	}
	group := groups[a.Group]
	return rpc.Group{State: group.State, Members: len(group.Members)}, group.Err
}

func (d *driver) groupOffsets(a rpc.Args) (any, error) {
	offsets, err := d.admin.FetchOffsets(ctx, a.Group)
	places := []rpc.Place{}
	for _, offset := range offsets.Sorted() {
		if offset.Topic == a.Topic {
			places = append(places, rpc.Place{int64(offset.Partition), offset.At})
		}
	}
	return places, err
}

func (d *driver) deleteRecords(a rpc.Args) (any, error) {
	var before kadm.Offsets
	before.AddOffset(a.Topic, a.Partition, a.Offset, -1)
	deleted, err := d.admin.DeleteRecords(ctx, before)
	if err != nil {
		return nil, err
	}
	partition, _ := deleted.Lookup(a.Topic, a.Partition)
	return partition.LowWatermark, partition.Err
}

func (d *driver) deleteGroupOffsets(a rpc.Args) (any, error) {
	var partitions kadm.TopicsSet
	partitions.Add(a.Topic, a.Partition)
	deleted, err := d.admin.DeleteOffsets(ctx, a.Group, partitions)
	if err != nil {
		return nil, err
	}
	return nil, deleted.Error()
}

func (d *driver) deleteGroup(a rpc.Args) (any, error) {
	_, err := d.admin.DeleteGroup(ctx, a.Group)
	return nil, err
}

func (d *driver) deleteTopic(a rpc.Args) (any, error) {
	_, err := d.admin.DeleteTopic(ctx, a.Topic)
	return nil, err
}

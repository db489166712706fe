package main

import (
	"net"
	"slices"
	"strconv"

	"github.com/IBM/sarama"

	"ottla/drivers/rpc"
)

func (d *driver) createTopic(a rpc.Args) (any, error) {
	detail := &sarama.TopicDetail{NumPartitions: a.Partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for name, value := range a.Configs {
		detail.ConfigEntries[name] = &value
	}
	return nil, d.admin.CreateTopic(a.Topic, detail, false)
}

func (d *driver) describeCluster(rpc.Args) (any, error) {
	brokers, controller, err := d.admin.DescribeCluster()
	cluster := rpc.Cluster{Controller: controller}
	for _, broker := range brokers {
		host, text, _ := net.SplitHostPort(broker.Addr())
		port, _ := strconv.Atoi(text)
		cluster.Nodes = append(cluster.Nodes, [3]any{broker.ID(), host, port})
	}
	return cluster, err
}

func (d *driver) listTopics(rpc.Args) (any, error) {
	topics, err := d.admin.ListTopics()
	names := []string{}
	for name := range topics {
		names = append(names, name)
	}
	return names, err
}

func (d *driver) describeTopic(a rpc.Args) (any, error) {
	topics, err := d.admin.DescribeTopics([]string{a.Topic})
	if err != nil {
		return nil, err
	}
	if topics[0].Err != sarama.ErrNoError {
		return nil, topics[0].Err
	}
	partitions := []int32{}
	for _, partition := range topics[0].Partitions {
		partitions = append(partitions, partition.ID)
	}
	return partitions, nil
}

func (d *driver) describeConfigs(a rpc.Args) (any, error) {
	entries, err := d.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: a.Topic})
	values := map[string]string{}
	for _, entry := range entries {
		values[entry.Name] = entry.Value
	}
	return values, err
}

func (d *driver) alterConfig(a rpc.Args) (any, error) {
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		a.Name: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &a.Value},
	}
	return rpc.Altered{Incremental: true}, d.admin.IncrementalAlterConfig(sarama.TopicResource, a.Topic, change, false)
}

func (d *driver) createPartitions(a rpc.Args) (any, error) {
	return nil, d.admin.CreatePartitions(a.Topic, int32(a.Count), nil, false)
}

func (d *driver) listGroups(rpc.Args) (any, error) {
	groups, err := d.admin.ListConsumerGroups()
	names := []string{}
	for name := range groups {
		names = append(names, name)
	}
	return names, err
}

func (d *driver) describeGroup(a rpc.Args) (any, error) {
	groups, err := d.admin.DescribeConsumerGroups([]string{a.Group})
	if err != nil {
		return nil, err
	}
	if groups[0].Err != sarama.ErrNoError {
		return nil, groups[0].Err
	}
	return rpc.Group{State: groups[0].State, Members: len(groups[0].Members)}, nil
}

func (d *driver) groupOffsets(a rpc.Args) (any, error) {
	offsets, err := d.admin.ListConsumerGroupOffsets(a.Group, nil)
	if err != nil {
		return nil, err
	}
	places := []rpc.Place{}
	for partition, block := range offsets.Blocks[a.Topic] {
		places = append(places, rpc.Place{int64(partition), block.Offset})
	}
	slices.SortFunc(places, func(one, other rpc.Place) int { return int(one[0] - other[0]) })
	return places, nil
}

func (d *driver) deleteRecords(a rpc.Args) (any, error) {
	if err := d.admin.DeleteRecords(a.Topic, map[int32]int64{a.Partition: a.Offset}); err != nil {
		return nil, err
	}
	return d.client.GetOffset(a.Topic, a.Partition, sarama.OffsetOldest)
}

func (d *driver) deleteGroupOffsets(a rpc.Args) (any, error) {
	return nil, d.admin.DeleteConsumerGroupOffset(a.Group, a.Topic, a.Partition)
}

func (d *driver) deleteGroup(a rpc.Args) (any, error) {
	return nil, d.admin.DeleteConsumerGroup(a.Group)
}

func (d *driver) deleteTopic(a rpc.Args) (any, error) {
	return nil, d.admin.DeleteTopic(a.Topic)
}

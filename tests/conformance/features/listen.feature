Feature: Listen
  A listener awaits events: one, all, or any of those that its filters describe, until a condition or another event.
  Its output is always an array. A listener that knows what it expects hears what came since its execution began, any
  other what came since its execution was last woken.

  @decision-13
  Scenario: One event gives an array of its data
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: {type: order.placed}}}
      """
    And these events occur:
      """yaml
      - {type: order.cancelled, data: {n: 0}}
      - {type: order.placed, data: {n: 1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {n: 1}
      """
    And the tasks should run in order hear

  Scenario: Without the event it waits
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: {type: order.placed}}}
      """
    And these events occur:
      """yaml
      - {type: order.cancelled}
      """
    When the workflow is executed
    Then the workflow should still wait
    And the tasks should run in order hear

  Scenario Outline: read: <read>
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: {type: order.placed}}}
              read: <read>
      """
    And these events occur:
      """yaml
      - {type: order.placed, id: e1, source: /shop, data: {n: 1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - <output>
      """
    And the tasks should run in order hear

    Examples:
      | read     | output                                                                                |
      | data     | {n: 1}                                                                                |
      | raw      | {n: 1}                                                                                |
      | envelope | {specversion: '1.0', type: order.placed, id: e1, source: /shop, data: {n: 1}}         |

  Scenario: All filters must be matched once each; the output is in their order
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                all:
                  - with: {type: paid}
                  - with: {type: packed}
      """
    And these events occur:
      """yaml
      - {type: packed, data: 1}
      - {type: packed, data: 2}
      - {type: paid, data: 3}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [3, 1]
      """
    And the tasks should run in order hear

  Scenario: Any takes the first event of several kinds
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                any:
                  - with: {type: paid}
                  - with: {type: cancelled}
      """
    And these events occur:
      """yaml
      - {type: cancelled, data: late}
      - {type: paid, data: yes}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [late]
      """
    And the tasks should run in order hear

  Scenario: Any without filters takes whatever comes
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {any: []}
      """
    And these events occur:
      """yaml
      - {type: whatever, data: 1}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1]
      """
    And the tasks should run in order hear

  Scenario: Any until a condition about what was consumed
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                any: [{with: {type: reading}}]
                until: (map(.value) | add) > 10
      """
    And these events occur:
      """yaml
      - {type: reading, data: {value: 4}}
      - {type: other, data: {value: 100}}
      - {type: reading, data: {value: 5}}
      - {type: reading, data: {value: 6}}
      - {type: reading, data: {value: 7}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [{value: 4}, {value: 5}, {value: 6}]
      """
    And the tasks should run in order hear

  Scenario: Any until another event, which is not among the output
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                any: [{with: {type: reading}}]
                until: {one: {with: {type: done}}}
      """
    And these events occur:
      """yaml
      - {type: reading, data: 1}
      - {type: reading, data: 2}
      - {type: done, data: 3}
      - {type: reading, data: 4}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 2]
      """
    And the tasks should run in order hear

  Scenario: Until all of several events
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                any: [{with: {type: reading}}]
                until:
                  all:
                    - with: {type: closed}
                    - with: {type: counted}
      """
    And these events occur:
      """yaml
      - {type: counted}
      - {type: reading, data: 1}
      - {type: closed}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1]
      """
    And the tasks should run in order hear

  @decision-14
  Scenario Outline: A filter <filter>
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: <filter>}}
      """
    And the workflow input is:
      """yaml
      wanted: 7
      """
    And these events occur:
      """yaml
      - {type: order.placed, source: /shops/1, data: {n: 6, vip: false}}
      - {type: order.placed, source: /shops/2, subject: gold, data: {n: 7, vip: true}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {n: 7, vip: true}
      """
    And the tasks should run in order hear

    Examples:
      | filter                                                       |
      | {source: /shops/2}                                           |
      | {subject: gold}                                              |
      | {type: order.placed, data: '${ .n > 6 }'}                    |
      | {type: order.placed, data: '${ .vip }'}                      |
      | {type: 'regex:order\..*', source: 'regex:/shops/[2-9]'}      |
      | {data: '${ .n == $input.wanted }'}                           |
      | {source: '${ .source \| endswith("2") }'}                     |
      | {type: '${ .data.n == 7 }'}                                  |
      | {data: {n: 7, vip: true}}                                    |

  @decision-14
  Scenario: A filter's expression that fails on an event is no match and no error
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: {data: '${ .n + 1 > 3 }'}}}
      """
    And these events occur:
      """yaml
      - {type: a, data: text}
      - {type: a}
      - {type: a, data: {n: 3}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {n: 3}
      """
    And the tasks should run in order hear

  Scenario: Correlation with an expectation
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                one:
                  with: {type: paid}
                  correlate:
                    order:
                      from: .data.order
                      expect: ${ .order }
      """
    And the workflow input is:
      """yaml
      order: B
      """
    And these events occur:
      """yaml
      - {type: paid, data: {order: A}}
      - {type: paid, data: {order: B}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {order: B}
      """
    And the tasks should run in order hear

  Scenario: Correlation with a constant expectation
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                one:
                  with: {type: paid}
                  correlate: {order: {from: .data.order, expect: B}}
      """
    And these events occur:
      """yaml
      - {type: paid, data: {order: A}}
      - {type: paid, data: {order: B}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {order: B}
      """
    And the tasks should run in order hear

  @decision-13
  Scenario: Without an expectation the first value seen becomes it, for all filters with that key
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                all:
                  - with: {type: temperature}
                    correlate: {room: {from: .data.room}}
                  - with: {type: humidity}
                    correlate: {room: {from: .data.room}}
      """
    And these events occur:
      """yaml
      - {type: temperature, data: {room: 1}}
      - {type: humidity, data: {room: 2}}
      - {type: humidity, data: {room: 1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {room: 1}
      - {room: 1}
      """
    And the tasks should run in order hear

  Scenario: What was learnt by one listener holds for the listeners after it
    Given a workflow that says:
      """yaml
      do:
        - first:
            listen:
              to: {one: {with: {type: opened}, correlate: {room: {from: .data.room}}}}
        - second:
            listen:
              to: {one: {with: {type: closed}, correlate: {room: {from: .data.room}}}}
      """
    And these events occur:
      """yaml
      - {type: opened, data: {room: 2}}
      - {type: closed, data: {room: 1}}
      - {type: closed, data: {room: 2}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {room: 2}
      """
    And the tasks should run in order first, second

  Scenario: An event without the correlation's value is not for this listener
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: {type: opened}, correlate: {room: {from: .data.room}}}}
      """
    And these events occur:
      """yaml
      - {type: opened, data: {}}
      """
    When the workflow is executed
    Then the workflow should still wait
    And the tasks should run in order hear

  Scenario: Each listener takes one event of a row of the same kind
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2, 3]'}
            do:
              - hear:
                  listen:
                    to: {one: {with: {type: tick}}}
                  output: {as: '$input + .'}
      """
    And the workflow input is:
      """yaml
      []
      """
    And these events occur:
      """yaml
      - {type: tick, data: a}
      - {type: tick, data: b}
      - {type: tick, data: c}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [a, b, c]
      """
    And the tasks should run in order loop, hear, hear, hear

  Scenario: Two listeners that are open at once hear the same event
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - left: {listen: {to: {one: {with: {type: tick}}}}}
                - right: {listen: {to: {one: {with: {type: tick}}}}}
                - ring:
                    do:
                      - pause: {wait: PT1S}
                      - say: {emit: {event: {with: {type: tick, data: 5}}}, output: {as: .type}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - [5]
      - [5]
      - tick
      """
    And the tasks should run in order both, left, right, ring, pause, say

  Scenario: foreach performs its tasks for each event, in order
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                any: [{with: {type: reading}}]
                until: . | length == 3
            foreach:
              item: reading
              at: i
              do:
                - pause: {wait: PT1S}
                - note: {set: '${ [$i, $reading.value] }'}
      """
    And these events occur:
      """yaml
      - {type: reading, data: {value: a}}
      - {type: reading, data: {value: b}}
      - {type: reading, data: {value: c}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - [0, a]
      - [1, b]
      - [2, c]
      """
    And the tasks should run in order hear, pause, note, pause, note, pause, note
    And the workflow should take PT3S

  Scenario: foreach shapes and exports each iteration
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to:
                any: [{with: {type: reading}}]
                until: . | length == 2
            foreach:
              do:
                - double: {set: {value: '${ $item.value * 2 }'}}
              output: {as: .value}
              export: {as: '{sum: (($context.sum // 0) + .)}'}
        - look: {set: {values: '${ . }', sum: '${ $context.sum }'}}
      """
    And these events occur:
      """yaml
      - {type: reading, data: {value: 1}}
      - {type: reading, data: {value: 2}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      values: [2, 4]
      sum: 6
      """
    And the tasks should run in order hear, double, double, look

  Scenario: exit in foreach ends one iteration, end ends the workflow
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {any: [], until: '${ false }'}
            foreach:
              do:
                - choose:
                    switch:
                      - skip: {when: . == "skip", then: exit}
                      - stop: {when: . == "stop", then: end}
                - note: {set: '${ "noted \($item)" }'}
        - never: {set: {n: 0}}
      """
    And these events occur:
      """yaml
      - {type: t, data: a}
      - {type: t, data: skip}
      - {type: t, data: b}
      - {type: t, data: stop}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [noted a, skip, noted b, stop]
      """
    And the tasks should run in order hear, choose, note, choose, choose, note, choose

  Scenario: A listener's output can be shaped like any task's
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen:
              to: {one: {with: {type: order.placed}}}
            output: {as: '.[0].n'}
      """
    And these events occur:
      """yaml
      - {type: order.placed, data: {n: 1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      1
      """
    And the tasks should run in order hear

  @decision-13
  Scenario: A listener that knows what it expects hears what another one heard before
    Given a workflow that says:
      """yaml
      do:
        - first: {listen: {to: {one: {with: {type: paid}}}}}
        - second:
            listen:
              to: {one: {with: {type: paid}, correlate: {order: {from: .data.order, expect: '${ "A-1" }'}}}}
      """
    And these events occur:
      """yaml
      - {type: paid, data: {order: A-1}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {order: A-1}
      """
    And the tasks should run in order first, second

  @decision-13
  Scenario: One that does not hears nothing that came before its execution was woken
    Given a workflow that says:
      """yaml
      do:
        - first: {listen: {to: {one: {with: {type: paid}}}}}
        - second: {listen: {to: {one: {with: {type: paid}}}}}
      """
    And these events occur:
      """yaml
      - {type: paid, data: {order: A-1}}
      """
    When the workflow is executed
    Then the workflow should still wait
    And the tasks should run in order first, second

  Scenario: An event that comes twice is one
    Given a workflow that says:
      """yaml
      do:
        - hear: {listen: {to: {any: [{with: {type: paid}}], until: length == 2}}}
      """
    And these events occur:
      """yaml
      - {type: paid, id: same, data: 1}
      - {type: paid, id: same, data: 1}
      - {type: paid, id: other, data: 2}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 2]
      """
    And the tasks should run in order hear

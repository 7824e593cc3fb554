Feature: Emit
  An emitted event is a whole CloudEvent: what the document leaves out is made. Listeners hear it, also those of the
  same workflow that begin later.

  @decision-8
  Scenario: The output is the envelope, with what was left out
    Given a workflow that says:
      """yaml
      do:
        - tell:
            emit:
              event:
                with:
                  type: order.placed
                  subject: ${ .id }
                  data: {order: '${ .id }'}
                  priority: high
            output: {as: 'del(.id)'}
      """
    And the workflow input is:
      """yaml
      id: '7'
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      specversion: '1.0'
      type: order.placed
      source: /lowtide/features/sample
      time: '2026-01-01T00:00:00.000Z'
      subject: '7'
      datacontenttype: application/json
      data: {order: '7'}
      priority: high
      """
    And the tasks should run in order tell

  Scenario: What the document says stays
    Given a workflow that says:
      """yaml
      do:
        - tell:
            emit:
              event:
                with:
                  id: mine
                  source: https://shop.example
                  type: order.placed
                  time: '2025-05-05T05:05:05Z'
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      specversion: '1.0'
      id: mine
      source: https://shop.example
      type: order.placed
      time: '2025-05-05T05:05:05Z'
      """
    And the tasks should run in order tell

  Scenario: A listener that begins later hears it
    Given a workflow that says:
      """yaml
      do:
        - tell: {emit: {event: {with: {type: ping, data: {n: 1}}}}}
        - pause: {wait: PT1M}
        - hear: {listen: {to: {one: {with: {type: ping}}}}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {n: 1}
      """
    And the tasks should run in order tell, pause, hear

  Scenario: Two emissions of one task are two events
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2]'}
            do:
              - tell:
                  emit: {event: {with: {type: ping, data: '${ $n }'}}}
                  export: {as: '{ids: ([$context.ids // [] | .[]] + [.id])}'}
        - look: {set: '${ $context.ids | unique | length }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      2
      """
    And the tasks should run in order loop, tell, tell, look

  Scenario: An event without a type is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - tell: {emit: {event: {with: {source: /shop}}}}
      """
    When the document is checked
    Then the document should be refused at '3':
      """
      type
      """

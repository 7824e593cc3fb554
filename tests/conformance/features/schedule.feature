Feature: Schedule
  A deployed workflow is started by time (every, cron, after) or by events (on). These scenarios run on the platform.

  @decision-15
  Scenario: Every starts in its rhythm
    Given a workflow that says:
      """yaml
      schedule: {every: {seconds: 1}}
      do:
        - hello: {set: {n: 1}}
      """
    When it is deployed until 2 executions have ended
    Then the executions should be:
      """yaml
      - {phase: completed, output: {n: 1}}
      - {phase: completed, output: {n: 1}}
      """

  @decision-15
  Scenario: Executions of every may overlap
    Given a workflow that says:
      """yaml
      schedule: {every: PT1S}
      do:
        - nap: {wait: PT1H}
      """
    When it is deployed until 2 executions have begun
    Then the executions should be:
      """yaml
      - {phase: waiting}
      - {phase: waiting}
      """

  Scenario: After starts at once, and then so long after the one before has ended
    Given a workflow that says:
      """yaml
      schedule: {after: {milliseconds: 100}}
      do:
        - nap: {wait: {milliseconds: 200}}
      """
    When it is deployed until 3 executions have ended
    Then each execution should begin after the one before has ended
    And the executions should be:
      """yaml
      - {phase: completed}
      - {phase: completed}
      - {phase: completed}
      """

  @decision-15
  Scenario Outline: Cron <cron> after <moment>
    Given a workflow that says:
      """yaml
      schedule: {cron: '<cron>'}
      do:
        - hello: {set: {n: 1}}
      """
    Then after <moment> it should start at <due>

    Examples: In UTC unless a zone stands in front, whose summer time is its own
      | cron                               | moment               | due                  |
      | 0 6 * * *                          | 2026-03-27T12:00:30Z | 2026-03-28T06:00:00Z |
      | */5 * * * *                        | 2026-03-27T12:00:30Z | 2026-03-27T12:05:00Z |
      | 0 6 * * MON-FRI                    | 2026-03-27T12:00:30Z | 2026-03-30T06:00:00Z |
      | 0 0 1 1 *                          | 2026-03-27T12:00:30Z | 2027-01-01T00:00:00Z |
      | CRON_TZ=Europe/Berlin 0 6 * * *    | 2026-03-27T12:00:30Z | 2026-03-28T05:00:00Z |
      | CRON_TZ=Europe/Berlin 0 6 * * *    | 2026-03-28T12:00:00Z | 2026-03-29T04:00:00Z |

  @decision-15
  Scenario: Exactly one of them
    Given a workflow that says:
      """yaml
      schedule: {every: PT1M, cron: '0 6 * * *'}
      do:
        - hello: {set: {n: 1}}
      """
    When the document is checked
    Then the document should be refused at '2':
      """
      may have one of every, cron, after or on
      """

  @decision-15
  Scenario Outline: An event starts it; read: <read> is what the input holds of it
    Given a workflow that says:
      """yaml
      schedule:
        on: {one: {with: {type: paid}}}
        <reading>
      do:
        - keep: {set: {got: '${ $workflow.input[0] }'}}
      """
    And these events occur:
      """yaml
      - {type: refunded, data: {order: 0}}
      - {type: paid, data: {order: 1}}
      """
    When it is deployed until 1 execution has ended
    Then the executions should be:
      """yaml
      - input: [<input>]
        output: {got: <input>}
      """

    Examples:
      | read     | reading          | input                                                                            |
      | nothing  |                  | {order: 1}                                                                       |
      | data     | read: data       | {order: 1}                                                                       |
      | raw      | read: raw        | {order: 1}                                                                       |
      | envelope | read: envelope   | {specversion: '1.0', id: '2', source: /features, type: paid, data: {order: 1}}   |

  Scenario: Any starts an execution for each event of any kind
    Given a workflow that says:
      """yaml
      schedule:
        on: {any: [{with: {type: paid}}, {with: {type: refunded}}]}
      do:
        - keep: {set: {order: '${ .[0].order }'}}
      """
    And these events occur:
      """yaml
      - {type: paid, data: {order: 1}}
      - {type: other, data: {order: 2}}
      - {type: refunded, data: {order: 3}}
      """
    When it is deployed until 2 executions have ended
    Then the executions should be:
      """yaml
      - {output: {order: 1}}
      - {output: {order: 3}}
      """

  Scenario: All gathers what belongs together, in the order of the filters
    Given a workflow that says:
      """yaml
      schedule:
        on:
          all:
            - {with: {type: paid}, correlate: {order: {from: .data.order}}}
            - {with: {type: packed}, correlate: {order: {from: .data.order}}}
      do:
        - keep: {set: '${ map(.by) }'}
      """
    And these events occur:
      """yaml
      - {type: packed, data: {order: 1, by: Eve}}
      - {type: paid, data: {order: 2, by: Bob}}
      - {type: paid, data: {order: 1, by: Ada}}
      """
    When it is deployed until 1 execution has ended
    Then the executions should be:
      """yaml
      - output: [Ada, Eve]
      """

  Scenario: An event that comes twice starts one execution
    Given a workflow that says:
      """yaml
      schedule:
        on: {one: {with: {type: paid}}}
      do:
        - keep: {set: {order: '${ .[0] }'}}
      """
    And these events occur:
      """yaml
      - {type: paid, id: same, data: 1}
      - {type: paid, id: same, data: 1}
      - {type: paid, id: other, data: 2}
      """
    When it is deployed until 2 executions have ended
    Then the executions should be:
      """yaml
      - {output: {order: 1}}
      - {output: {order: 2}}
      """

Feature: Fork
  Branches run side by side, each with a copy of the context. Without `compete` the output is an array in the order
  of the document and the contexts are merged key by key; with it, the first branch to complete wins and the others
  are cancelled.

  Scenario: The outputs stand in the order of the document, whichever branch ends first
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - slow:
                    do:
                      - nap: {wait: PT2S}
                      - one: {set: {from: slow}}
                - fast:
                    do:
                      - doze: {wait: PT1S}
                      - two: {set: {from: fast}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {from: slow}
      - {from: fast}
      """
    And the tasks should run in order both, slow, nap, fast, doze, two, one
    And the workflow should take PT2S

  Scenario: Each branch begins with the fork's input
    Given a workflow that says:
      """yaml
      do:
        - both:
            input: {from: .n}
            fork:
              branches:
                - double: {set: '${ . * 2 }'}
                - square: {set: '${ . * . }'}
            output: {as: add}
      """
    And the workflow input is:
      """yaml
      n: 3
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      15
      """
    And the tasks should run in order both, double, square

  @decision-7
  Scenario: A branch sees only what it exported itself; after the join all is there
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - left:
                    do:
                      - a: {set: {n: 1}, export: {as: '$context + {left: 1, shared: "left"}'}}
                      - pause: {wait: PT1S}
                      - see: {set: '${ $context }'}
                - right:
                    do:
                      - b: {set: {n: 2}, export: {as: '$context + {right: 2, shared: "right"}'}}
        - after: {set: {left: '${ .[0] }', all: '${ $context }'}}
      """
    And the workflow input is:
      """yaml
      base: 0
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      left: {base: 0, left: 1, shared: left}
      all: {base: 0, left: 1, right: 2, shared: right}
      """
    And the tasks should run in order both, left, a, pause, right, b, see, after

  Scenario: When a branch fails the others are cancelled and the fork fails
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - slow: {wait: PT1H}
                - bad:
                    do:
                      - nap: {wait: PT1S}
                      - fail: {raise: {error: {type: 'https://example.com/bad', status: 418}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://example.com/bad
      status: 418
      instance: /do/0/both/fork/branches/1/bad/do/1/fail
      """
    And the tasks should run in order both, slow, bad, nap, fail
    And slow should cancel
    And bad should fault
    And both should fault
    And the workflow should take PT1S

  @decision-7
  Scenario: In a race the first to complete wins with its output and its context
    Given a workflow that says:
      """yaml
      do:
        - race:
            fork:
              compete: true
              branches:
                - slow:
                    do:
                      - nap: {wait: PT2S}
                      - one: {set: {won: slow}, export: {as: '{by: "slow"}'}}
                - fast:
                    do:
                      - doze: {wait: PT1S}
                      - two: {set: {won: fast}, export: {as: '{by: "fast"}'}}
        - after: {set: {output: '${ . }', context: '${ $context }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      output: {won: fast}
      context: {by: fast}
      """
    And the tasks should run in order race, slow, nap, fast, doze, two, after
    And nap should cancel
    And slow should cancel
    And the workflow should take PT1S

  Scenario: In a race a branch that fails is only out of it
    Given a workflow that says:
      """yaml
      do:
        - race:
            fork:
              compete: true
              branches:
                - bad: {raise: {error: {type: 'https://example.com/bad', status: 418}}}
                - good:
                    do:
                      - doze: {wait: PT1S}
                      - two: {set: {won: good}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      won: good
      """
    And the tasks should run in order race, bad, good, doze, two
    And bad should fault

  @decision-7
  Scenario: A race that all branches lose fails with the last error
    Given a workflow that says:
      """yaml
      do:
        - race:
            fork:
              compete: true
              branches:
                - first:
                    do:
                      - nap: {wait: PT2S}
                      - failFirst: {raise: {error: {type: 'https://example.com/first', status: 500}}}
                - second: {raise: {error: {type: 'https://example.com/second', status: 500}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://example.com/first
      status: 500
      instance: /do/0/race/fork/branches/0/first/do/1/failFirst
      """
    And the tasks should run in order race, first, nap, second, failFirst

  Scenario: end in a branch ends the workflow and cancels the other branches
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - slow: {wait: PT1H}
                - quick: {set: {n: 1}, then: end}
        - never: {set: {n: 2}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order both, slow, quick
    And slow should cancel

  Scenario: A race between a call and a clock
    Given a workflow that says:
      """yaml
      do:
        - race:
            fork:
              compete: true
              branches:
                - call: {call: http, with: {method: get, endpoint: 'https://shop.example/now'}}
                - clock: {wait: PT1H}
      """
    And the service 'shop.example' answers:
      """yaml
      - body: {open: true}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      open: true
      """
    And the tasks should run in order race, call, clock
    And clock should cancel
    And the workflow should take PT0S

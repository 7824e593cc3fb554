Feature: Flow
  Tasks follow each other in the order of their list. A task's `then` says otherwise: continue, exit (leave this
  list), end (finish the workflow), or the name of a task of the same list.

  Scenario Outline: then: <then> of a task in the middle
    Given a workflow that says:
      """yaml
      do:
        - outer:
            do:
              - a: {set: '${ . + ["a"] }', then: <then>}
              - b: {set: '${ . + ["b"] }'}
              - c: {set: '${ . + ["c"] }'}
        - last: {set: '${ . + ["last"] }'}
      """
    And the workflow input is:
      """yaml
      []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """
    And the tasks should run in order <ran>

    Examples:
      | then     | output             | ran                  |
      | continue | [a, b, c, last]    | outer, a, b, c, last |
      | exit     | [a, last]          | outer, a, last       |
      | end      | [a]                | outer, a             |
      | c        | [a, c, last]       | outer, a, c, last    |

  Scenario: exit in the outermost list ends the workflow
    Given a workflow that says:
      """yaml
      do:
        - a: {set: {n: 1}, then: exit}
        - b: {set: {n: 2}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order a

  Scenario: A jump back makes a loop
    Given a workflow that says:
      """yaml
      do:
        - count: {set: '${ . + 1 }'}
        - again:
            switch:
              - more: {when: '. < 3', then: count}
        - done: {set: {counted: '${ . }'}}
      """
    And the workflow input is:
      """yaml
      0
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      counted: 3
      """
    And the tasks should run in order count, again, count, again, count, again, done

  Scenario: A jump to a task of another list is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - outer:
            do:
              - a: {set: {n: 1}, then: last}
        - last: {set: {n: 2}}
      """
    When the document is checked
    Then the document should be refused at '5':
      """
      last
      """

  Scenario: A task whose condition is false is skipped, and its directive with it
    Given a workflow that says:
      """yaml
      do:
        - a: {if: .n > 1, set: {n: 5}, then: end}
        - b: {set: {was: '${ .n }'}}
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      was: 1
      """
    And the tasks should run in order b
    And a should be skipped

  Scenario Outline: Only false and null are false: <value>
    Given a workflow that says:
      """yaml
      do:
        - a: {if: .v, set: {ran: true}}
      """
    And the workflow input is:
      """yaml
      v: <value>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """
    And <order>

    Examples:
      | value | output      | order                            |
      | false | {v: false}  | no task should run               |
      | null  | {v: null}   | no task should run               |
      | 0     | {ran: true} | the tasks should run in order a  |
      | ""    | {ran: true} | the tasks should run in order a  |

  Scenario: A switch that matches nothing goes where its own then says
    Given a workflow that says:
      """yaml
      do:
        - choose:
            switch:
              - big: {when: '. > 10', then: c}
            then: b
        - a: {set: '${ [., "a"] }'}
        - b: {set: '${ [., "b"] }', then: end}
        - c: {set: '${ [., "c"] }'}
      """
    And the workflow input is:
      """yaml
      1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, b]
      """
    And the tasks should run in order choose, b

  Scenario: A switch takes the first case that is true and leaves the data alone
    Given a workflow that says:
      """yaml
      do:
        - choose:
            switch:
              - none: {when: '. > 100', then: a}
              - first: {when: '. > 10', then: c}
              - second: {when: '. > 5', then: a}
        - a: {set: '${ ["a", .] }', then: end}
        - c: {set: '${ ["c", .] }'}
      """
    And the workflow input is:
      """yaml
      50
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [c, 50]
      """
    And the tasks should run in order choose, c

  Scenario: A case may exit the list or end the workflow
    Given a workflow that says:
      """yaml
      do:
        - outer:
            do:
              - choose:
                  switch:
                    - leave: {when: .leave, then: exit}
                    - default: {then: end}
              - never: {set: {n: 0}}
        - last: {set: {n: 1}}
      """
    And the workflow input is:
      """yaml
      leave: true
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order outer, choose, last

  @decision-6
  Scenario: A loop without items gives its input
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {in: '[]'}
            do:
              - never: {set: {n: 0}}
      """
    And the workflow input is:
      """yaml
      n: 7
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 7
      """
    And the tasks should run in order loop

  @decision-6
  Scenario: A loop's collection is taken once, whatever the iterations do
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: .numbers}
            do:
              - grow: {set: {numbers: '${ .numbers + [$n * 10] }'}}
      """
    And the workflow input is:
      """yaml
      numbers: [1, 2]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      numbers: [1, 2, 10, 20]
      """
    And the tasks should run in order loop, grow, grow

  @decision-6
  Scenario: While is asked before each iteration, about the data of the one before
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2, 3, 4]'}
            while: . < 3
            do:
              - add: {set: '${ . + $n }'}
      """
    And the workflow input is:
      """yaml
      0
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      3
      """
    And the tasks should run in order loop, add, add

  @decision-6
  Scenario: exit in a loop ends one iteration and the next one begins
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2, 3]'}
            do:
              - skip: {switch: [{even: {when: $n % 2 == 0, then: exit}}]}
              - add: {set: '${ . + [$n] }'}
      """
    And the workflow input is:
      """yaml
      []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 3]
      """
    And the tasks should run in order loop, skip, add, skip, skip, add

  Scenario: end in a loop ends the workflow
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2, 3]'}
            do:
              - add: {set: '${ . + [$n] }', then: end}
        - never: {set: {n: 0}}
      """
    And the workflow input is:
      """yaml
      []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1]
      """
    And the tasks should run in order loop, add

  Scenario: Loops may stand in loops
    Given a workflow that says:
      """yaml
      do:
        - rows:
            for: {each: row, at: y, in: '["a", "b"]'}
            do:
              - columns:
                  for: {each: column, at: x, in: '[1, 2]'}
                  do:
                    - add: {set: '${ . + ["\($row)\($column)@\($y),\($x)"] }'}
      """
    And the workflow input is:
      """yaml
      []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ["a1@0,0", "a2@0,1", "b1@1,0", "b2@1,1"]
      """
    And the tasks should run in order rows, columns, add, add, columns, add, add

  Scenario: Looping over something that is no array is an expression error
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {in: .n}
            do:
              - never: {set: {n: 0}}
      """
    And the workflow input is:
      """yaml
      n: 3
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
      status: 400
      instance: /do/0/loop
      """
    And the tasks should run in order loop

  Scenario: A workflow that is cancelled stops where it is
    Given a workflow that says:
      """yaml
      do:
        - outer:
            do:
              - pause: {wait: PT1H}
              - never: {set: {n: 0}}
      """
    And the workflow is cancelled after PT10M
    When the workflow is executed
    Then the workflow should cancel
    And the tasks should run in order outer, pause
    And pause should cancel
    And outer should cancel
    And the workflow should take PT10M

{#-
  What need not be done again (python/strata/unchanged.py): a test that has passed, and a table that was made, of just what is
  there now. Any other commit of a table that they read, whoever made it (a run, a restore, a hand), any other SQL or variable
  has them done again; so does anything that they read and that is not told: a source, a view that reads files of its own, the time.
-#}

{#-
  dbt's data tests, without those that can find nothing new; of a large table, by those that look at each row by itself or at
  rows with the same key, what changed since they passed, unless something is found. `--vars '{test_everything: true}'` runs
  all, on all rows.
-#}
{% materialization test, adapter='spark' %}
    {%- set limited = get_limit_subquery_sql(sql, config.get('limit')) -%}
    {%- set asked = get_test_sql(limited, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none) -%}
    {%- set reads = none if should_store_failures() else _inputs() -%}
    {%- set digest = _digest(asked, reads) -%}
    {%- if _has_passed(digest) -%}
        {{ return(_nothing('not run again', modules.strata.nothing_found())) }}
    {%- endif -%}
    {%- set test = _test() -%}
    {%- set of_others, mark = '', '' -%}
    {%- if digest and _tells_by_changes() and (_tested_relation() or {}).type == 'table' -%}
        {%- set mark = reads.tables[model.attached_node] -%}
        {%- set of_others = _digest(asked, {'tables': dict(reads.tables, **{model.attached_node: ''}), 'leaves': reads.leaves}) -%}
        {%- set changed = none if var('test_everything') else _tested_rows_since(modules.strata.passed_until(test, of_others)) -%}
        {%- set found = run_query(asked | replace(_tested_rows(), changed)).rows[0] if changed else none -%}
        {%- if found and _is_pass(found) -%}
            {% do modules.strata.note_passed(test, digest, of_others, mark, is_whole=false) %}
            {{ return(_nothing('of what changed', modules.strata.nothing_found())) }}
        {%- endif -%}
    {%- endif -%}
    {%- set done = dbt.materialization_test_default() -%}
    {%- if digest and _is_pass(load_result('main').table.rows[0]) -%}
        {% do modules.strata.note_passed(test, digest, of_others, mark) %}
    {%- endif -%}
    {{ return(done) }}
{% endmaterialization %}


{#- dbt's unit tests, without those that have passed with this very SQL and these rows. -#}
{% materialization unit, adapter='spark' %}
    {%- set digest = _digest([sql, config.get('expected_rows'), config.get('expected_sql')] | string) -%}
    {%- if _has_passed(digest) -%}
        {{ return(_nothing('not run again', modules.strata.nothing_differs())) }}
    {%- endif -%}
    {%- set done = dbt.materialization_unit_default() -%}
    {%- if digest and modules.strata.is_as_expected(load_result('main').table) -%}
        {% do modules.strata.note_passed(_test(), digest) %}
    {%- endif -%}
    {{ return(done) }}
{% endmaterialization %}


{#- The test that runs, by a name that is no other's in the lake. -#}
{% macro _test() -%}
    {{ return(schema ~ '.' ~ model.unique_id) }}
{%- endmacro %}


{#- Whether the test that runs has passed on what has a digest, and need not be run again. -#}
{% macro _has_passed(digest) %}
    {{ return(modules.strata.has_passed(_test(), '' if var('test_everything') else digest or '')) }}
{% endmacro %}


{#- What a test's materialization returns when nothing was found, which `table` tells as dbt reads it. -#}
{% macro _nothing(message, table) %}
    {% do store_raw_result('main', message=message, code='', rows_affected=0, agate_table=table) %}
    {{ return({'relations': []}) }}
{% endmacro %}


{#- Whether a test that found this (failures, whether to warn, whether to fail) has passed without any. -#}
{% macro _is_pass(found) %}
    {{ return(found[0] == 0 and not found[1] and not found[2]) }}
{% endmacro %}


{#-
  Whether the test that runs finds a row wrong by what stands in that row, or in another table that dbt knows it to read. One of
  an expression that reads a table for itself does not, nor one that dbt_expectations groups.
-#}
{% macro _looks_at_each_row() %}
    {%- set test = model.test_metadata or {} -%}
    {{ return(
        test.name in (
            'not_null', 'accepted_values', 'relationships', 'has_a_reason', 'accepted_range', 'expression_is_true',
        )
        and test.namespace != 'dbt_expectations' and 'select' not in test.kwargs | string | lower
    ) }}
{% endmacro %}


{#-
  The columns, or expressions, by which the test that runs holds rows against each other: rows that agree in all of them. None
  where it does not.
-#}
{% macro _tested_keys() %}
    {%- set test = model.test_metadata or {} -%}
    {%- if test.name == 'unique' and not test.namespace -%}
        {{ return([test.kwargs.column_name]) }}
    {%- elif test.name == 'unique_combination_of_columns' and test.namespace == 'dbt_utils' -%}
        {%- set names = test.kwargs.combination_of_columns or test.kwargs.arguments.combination_of_columns -%}
        {{ return(names if names is not string and not test.kwargs.quote_columns else none) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{#- Whether what the test that runs finds since it passed is told by the rows that changed since. -#}
{% macro _tells_by_changes() %}
    {{ return(_looks_at_each_row() or _tested_keys() is not none) }}
{% endmacro %}


{#- dbt's name for what a generic test is about, with a mark where _tells_by_changes, so that its rows can be told there. -#}
{% macro spark__get_where_subquery(relation) %}
    {%- set where = config.get('where') -%}
    {%- set rows = relation -%}
    {%- if execute and _tells_by_changes() and (relation | string) == (_tested_relation() | string) -%}
        {%- set rows = _tested_rows() -%}
    {%- endif -%}
    {{ return('(select * from ' ~ rows ~ ' where ' ~ where ~ ') as dbt_subquery' if where else rows) }}
{% endmacro %}


{#- The table or view that the generic test which runs is about. -#}
{% macro _tested_relation() %}
    {%- set node = graph.nodes.get(model.attached_node) -%}
    {{ return(none if node is none else _built_relation(node.name)) }}
{% endmacro %}


{#- Its rows as the SQL of a test names them that tells by changes. -#}
{% macro _tested_rows() %}
    {{ return(_tested_relation() ~ ' /* its rows */') }}
{% endmacro %}


{#-
  The rows of the tested table that are new, or other than before, after the commit of a mark, or all rows with the keys of
  those, as a subquery; none where the feed cannot tell them, or reading all is sooner done.
-#}
{% macro _tested_rows_since(mark) %}
    {%- set relation = _tested_relation() -%}
    {%- if not mark or target.type == 'databricks' or not modules.strata.is_large(relation.schema, relation.identifier) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set commits = _commits_since(relation, mark) -%}
    {%- if not commits or commits | selectattr('is_made_anew') | list or commits | selectattr('is_old') | list
            or _table_property(relation, 'delta.enableChangeDataFeed') != 'true' -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set changed -%}
        (
            select * except (_change_type, _commit_version, _commit_timestamp)
            from table_changes({{ _text_literal(relation | string | replace('`', '')) }}, {{ commits[-1].version }}, {{ commits[0].version }})
            where _change_type in ('insert', 'update_postimage')
        )
    {%- endset -%}
    {%- set keys = _tested_keys() -%}
    {%- if keys is none -%}
        {{ return(changed ~ ' as its_rows') }}
    {%- endif -%}
    {%- set named, equal, within = [], [], _key_ranges(keys, changed) -%}
    {%- for key in keys -%}
        {% do named.append(key ~ ' as _changed_key_' ~ loop.index) %}
        {% do equal.append(key ~ ' <=> _changed_key_' ~ loop.index) %}
    {%- endfor -%}
    {%- set rows -%}
        (
            select every_row.*
            {#- By its version: Spark takes a table by its name and its changes for the same, where both are in one query. #}
            from (
                select * from {{ relation }} version as of {{ commits[0].version }}
                {{ 'where ' ~ within | join(' and ') if within }}
            ) as every_row
            left semi join (select distinct {{ named | join(', ') }} from {{ changed }}) as changed
                on {{ equal | join(' and ') }}
        ) as its_rows
    {%- endset -%}
    {{ return(rows) }}
{% endmacro %}


{#-
  The ranges in which the keys of changed rows lie, as conditions, so that Delta leaves out the files that can hold no such key. Of
  times and of what else grows that is most of a table; of a type whose text is not its value nothing is said. The ends are variables
  of the session, one set a node: no log has their values.
-#}
{% macro _key_ranges(keys, changed) %}
    {%- set asked, conditions, ends, set_to = [], [], [], [] -%}
    {%- set variable = '_end_' ~ local_md5(model.unique_id) ~ '_' -%}
    {%- for key in keys -%}
        {% do asked.extend(['min(' ~ key ~ ') is not null', 'typeof(min(' ~ key ~ '))', 'count_if(' ~ key ~ ' is null)']) %}
    {%- endfor -%}
    {%- set told = run_query('select ' ~ asked | join(', ') ~ ' from ' ~ changed)[0] -%}
    {%- for key in keys -%}
        {%- set is_any, type, null_count = told[3 * loop.index0:3 * loop.index] -%}
        {%- if is_any and type in ('string', 'date', 'timestamp', 'tinyint', 'smallint', 'int', 'bigint') -%}
            {%- set least, most = variable ~ 'least_' ~ loop.index, variable ~ 'most_' ~ loop.index -%}
            {% do run_query('declare or replace variable ' ~ least ~ ' ' ~ type) %}
            {% do run_query('declare or replace variable ' ~ most ~ ' ' ~ type) %}
            {% do ends.extend([least, most]) %}
            {% do set_to.extend(['min(' ~ key ~ ')', 'max(' ~ key ~ ')']) %}
            {% do conditions.append(
                '(' ~ key ~ ' between ' ~ least ~ ' and ' ~ most ~ (' or ' ~ key ~ ' is null' if null_count else '') ~ ')'
            ) %}
        {%- endif -%}
    {%- endfor -%}
    {%- if ends -%}
        {% do run_query('set var (' ~ ends | join(', ') ~ ') = (select ' ~ set_to | join(', ') ~ ' from ' ~ changed ~ ')') %}
    {%- endif -%}
    {{ return(conditions) }}
{% endmacro %}


{#- dbt's tables, without those that would be made anew of the same. One that somebody changed since is made anew. -#}
{% materialization table, adapter='spark', supported_languages=['sql', 'python'] %}
    {%- set digest = _digest(compiled_code, _inputs()) if _is_in_lake(model) -%}
    {%- set existing = load_relation(this) -%}
    {%- if _is_made_of(existing, digest) -%}
        {{ return(_left_as_it_is(this.incorporate(type='table'))) }}
    {%- endif -%}
    {%- if digest -%}
        {% do model.update({'properties': {'strata.made_of': digest}}) %}
    {%- endif -%}
    {{ return(dbt.materialization_table_spark()) }}
{% endmaterialization %}


{#-
  dbt's views, without those that are there with this text, over tables with the columns that they had. Whoever replaced one by
  hand took its property away.
-#}
{% materialization view, adapter='spark' %}
    {%- set digest = _digest(compiled_code, _inputs(of_columns=true)) -%}
    {%- set told = (load_relation(this) or {}).information or '' -%}
    {%- set text = told.partition('View Text: ')[2].partition('\nView Original Text: ')[0] -%}
    {%- if digest and 'strata.made_of=' ~ digest in told and text and text in compiled_code and not should_full_refresh() -%}
        {{ return(_left_as_it_is(load_relation(this))) }}
    {%- endif -%}
    {%- set made = create_or_replace_view() -%}
    {%- if digest -%}
        {% do run_query('alter view ' ~ this ~ ' set tblproperties (' ~ _properties_list({'strata.made_of': digest}) ~ ')') %}
    {%- endif -%}
    {{ return(made) }}
{% endmaterialization %}


{#- What a materialization returns that leaves its table or view as it is, with its hooks run. -#}
{% macro _left_as_it_is(relation) %}
    {% do run_hooks(pre_hooks) %}
    {% call noop_statement('main', 'OK nothing changed') -%} {%- endcall %}
    {% do run_hooks(post_hooks) %}
    {{ return({'relations': [relation]}) }}
{% endmacro %}


{#- Whether what is there is the table that this node makes of what has a digest, and nobody has changed it since it was made. -#}
{% macro _is_made_of(existing, digest) %}
    {%- if not digest or existing is none or existing.type != 'table' or should_full_refresh() -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(_newest_version(existing).is_made_anew and _table_property(existing, 'strata.made_of') == digest) }}
{% endmacro %}


{#-
  The rows of a query with few of them, texts, numbers and truth values; those that it had when it was asked before, where that was
  on just what is there now. `tables` are those that it reads, beside the listings of what has landed.
-#}
{% macro _answer(question, sql, tables=[]) %}
    {%- set reads = {} -%}
    {%- for table in tables -%}
        {% do reads.update({table | string: _newest_version(table).mark}) %}
    {%- endfor -%}
    {%- set digest = modules.strata.digest(sql, reads, is_of_tables=true) or '' -%}
    {%- set question = target.schema ~ ': ' ~ question -%}
    {%- set known = modules.strata.known_answer(question, digest) if digest else none -%}
    {%- if known is not none -%}
        {{ return(known) }}
    {%- endif -%}
    {%- set rows = run_query(sql).rows -%}
    {%- if digest -%}
        {% do modules.strata.note_answer(question, digest, rows) %}
    {%- endif -%}
    {{ return(rows) }}
{% endmacro %}


{#- Whether a node's table is one of Delta's that lies where the lake's tables lie, so that its log is read. -#}
{% macro _is_in_lake(node) %}
    {{ return(node.config.get('file_format') == 'delta' and not node.config.get('location_root')) }}
{% endmacro %}


{#-
  What the node that runs reads, `tables` and `leaves` as _add_reads has them, or with `of_columns` the columns alone of tables;
  none where that is not all told.
-#}
{% macro _inputs(of_columns=false) %}
    {%- set reads = {} -%}
    {%- set leaves = [] -%}
    {%- set are_told = _add_reads(model.depends_on.nodes, reads, leaves, of_columns) -%}
    {{ return({'tables': reads, 'leaves': leaves} if are_told else none) }}
{% endmacro %}


{#- The digest of a query and of what it reads by _inputs, if anything; none where that is not all told. -#}
{% macro _digest(sql, inputs={'tables': {}, 'leaves': []}) %}
    {{ return(modules.strata.digest(sql, inputs.tables, is_of_tables=not inputs.leaves) if inputs else none) }}
{% endmacro %}


{#-
  Add to `reads` what nodes give to read, by the node: of a table the mark of its newest commit, or with `of_columns` its columns,
  of a view its text, and what that reads; what is ephemeral stands in the query itself. `leaves` are views and ephemeral ones that read no table that dbt knows.
  False where something is not a node, or is not there.
-#}
{% macro _add_reads(nodes, reads, leaves, of_columns=false) %}
    {%- for unique_id in nodes if unique_id not in reads -%}
        {%- set node = graph.nodes.get(unique_id) -%}
        {%- set is_ephemeral = node is not none and node.config.materialized == 'ephemeral' -%}
        {%- set relation = none if node is none or is_ephemeral else _built_relation(node.name) -%}
        {%- if node is none or (relation is none and not is_ephemeral) -%}
            {{ return(false) }}
        {%- elif is_ephemeral or relation.type == 'view' -%}
            {#- A view that is made again of the same is the same, but for the time at which that was. -#}
            {%- set text = '' if is_ephemeral else run_query('show create table ' ~ relation)[0][0] -%}
            {% do reads.update({unique_id: modules.re.sub("'transient_lastDdlTime' = '[0-9]+'", '', text)}) %}
            {% do leaves.extend([] if node.depends_on.nodes else [unique_id]) %}
            {%- if not _add_reads(node.depends_on.nodes, reads, leaves, of_columns) -%}
                {{ return(false) }}
            {%- endif -%}
        {%- elif not _is_in_lake(node) -%}
            {{ return(false) }}
        {%- elif of_columns -%}
            {%- set columns = none if target.type == 'databricks' else modules.strata.columns(relation.schema, relation.identifier) -%}
            {%- if columns is none -%}
                {{ return(false) }}
            {%- endif -%}
            {% do reads.update({unique_id: columns}) %}
        {%- else -%}
            {% do reads.update({unique_id: _newest_version(relation).mark}) %}
        {%- endif -%}
    {%- endfor -%}
    {{ return(true) }}
{% endmacro %}


{#- Keep what has passed in this run, and say how many tests were not run again. -#}
{% macro keep_passed_tests() %}
    {%- if execute -%}
        {%- set spared = modules.strata.spared() -%}
        {%- if spared -%}
            {% do log(spared, info=true) %}
        {%- endif -%}
        {%- set said = modules.strata.keep_passed() -%}
        {%- if said -%}
            {% do exceptions.warn(said) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
